package hub

// apiLinks and templateLinks are the many addresses in a repository's JSON.
var apiLinks = []string{
	"contributors", "deployments", "downloads", "events", "forks", "hooks", "languages", "merges",
	"stargazers", "subscribers", "subscription", "tags", "teams",
}

var templateLinks = map[string]string{
	"archive_url": "/{archive_format}{/ref}", "assignees_url": "/assignees{/user}", "blobs_url": "/git/blobs{/sha}",
	"branches_url": "/branches{/branch}", "collaborators_url": "/collaborators{/collaborator}",
	"comments_url": "/comments{/number}", "commits_url": "/commits{/sha}", "compare_url": "/compare/{base}...{head}",
	"contents_url": "/contents/{+path}", "git_commits_url": "/git/commits{/sha}", "git_refs_url": "/git/refs{/sha}",
	"git_tags_url": "/git/tags{/sha}", "issue_comment_url": "/issues/comments{/number}",
	"issue_events_url": "/issues/events{/number}", "issues_url": "/issues{/number}", "keys_url": "/keys{/key_id}",
	"labels_url": "/labels{/name}", "milestones_url": "/milestones{/number}",
	"notifications_url": "/notifications{?since,all,participating}", "pulls_url": "/pulls{/number}",
	"releases_url": "/releases{/id}", "statuses_url": "/statuses/{sha}", "trees_url": "/git/trees{/sha}",
}

// view is the repository as every reply and event shows it.
func (r *Repo) view() object {
	// A repository cannot be made without an account as its owner.
	owner, _ := r.s.user(r.owner)
	visibility := "public"
	if r.private {
		visibility = "private"
	}
	open := 0
	for _, p := range r.pulls {
		if p.state == "open" {
			open++
		}
	}
	for _, i := range r.issues {
		if i.state == "open" {
			open++
		}
	}
	forks := 0
	for _, other := range r.s.repos {
		if other.parent == r {
			forks++
		}
	}
	v := object{
		"id": r.id, "node_id": nodeID("R", r.id), "name": r.name, "full_name": r.slug(), "owner": r.s.viewUser(owner),
		"private": r.private, "html_url": r.html(), "description": orNull(r.description), "fork": r.parent != nil, "url": r.api(),
		"git_url": "git://127.0.0.1/" + r.slug() + ".git", "ssh_url": "git@127.0.0.1:" + r.slug() + ".git",
		"clone_url": r.html() + ".git", "svn_url": r.html(), "mirror_url": nil, "homepage": nil, "language": nil,
		"forks_count": forks, "forks": forks, "stargazers_count": 0, "watchers_count": 0, "watchers": 0, "size": 0,
		"default_branch": r.defaultBranch, "open_issues_count": open, "open_issues": open, "topics": []string{},
		"has_issues": !r.noIssues, "has_projects": false, "has_wiki": false, "has_pages": false, "has_discussions": false,
		"has_downloads": true, "archived": r.archived, "disabled": false, "visibility": visibility, "is_template": r.template,
		"allow_forking": true, "web_commit_signoff_required": false, "license": nil,
		"pushed_at": stamp(r.pushed), "created_at": stamp(r.created), "updated_at": stamp(r.pushed),
		"subscribers_count": 0, "network_count": forks,
	}
	if properties := r.shownProperties(); properties != nil {
		v["custom_properties"] = properties
	}
	for _, name := range apiLinks {
		v[name+"_url"] = r.api() + "/" + name
	}
	for name, tail := range templateLinks {
		v[name] = r.api() + tail
	}
	return v
}
