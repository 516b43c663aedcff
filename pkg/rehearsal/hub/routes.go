package hub

import "slices"

// routes is the table of everything that is answered. The order matters where a
// tail of several segments could hide a longer pattern.
var routes = slices.Concat(topRoutes, appRoutes, gitRoutes, propertyRoutes, pullRoutes, issueRoutes, deployRoutes, actionsRoutes, settingsRoutes, gitWriteRoutes, pullWriteRoutes, secretRoutes)

var topRoutes = []route{
	{"GET", "/user", nil, false, getUser},
	{"GET", "/rate_limit", nil, false, getRateLimit},
	{"POST", graphQLPattern, nil, false, postGraphQL},
	{"GET", "/_services/token/.well-known/openid-configuration", nil, true, getDiscovery},
	{"GET", "/_services/token/.well-known/jwks", nil, true, getKeys},
	{"GET", "/_services/idtoken/{run_id}/{job}", nil, true, getIDToken},
	{"GET", "/_raw/{owner}/{repo}/{sha}/{path...}", reads("contents"), false, getRaw},
}

var gitRoutes = []route{
	{"GET", inRepo, reads("metadata"), false, getRepo},
	{"GET", inRepo + "/contents", reads("contents"), false, getContents},
	{"GET", inRepo + "/contents/{path...}", reads("contents"), false, getContents},
	{"GET", inRepo + "/git/blobs/{file_sha}", reads("contents"), false, getBlob},
	{"GET", inRepo + "/git/trees/{tree_sha...}", reads("contents"), false, getTree},
	{"GET", inRepo + "/git/commits/{commit_sha}", reads("contents"), false, getGitCommit},
	{"GET", inRepo + "/git/ref/{ref...}", reads("contents"), false, getRef},
	{"GET", inRepo + "/git/matching-refs/{ref...}", reads("contents"), false, getMatchingRefs},
	{"GET", inRepo + "/branches", reads("contents"), false, listBranches},
	{"GET", inRepo + "/branches/{branch...}", reads("contents"), false, getBranch},
	{"GET", inRepo + "/compare/{basehead...}", reads("contents"), false, getCompare},
	{"GET", inRepo + "/commits", reads("contents"), false, listCommits},
	{"GET", inRepo + "/commits/{ref...}/status", reads("statuses"), false, getCombined},
	{"GET", inRepo + "/commits/{ref...}/statuses", reads("statuses"), false, listStatuses},
	{"GET", inRepo + "/commits/{commit_sha}/pulls", reads("pull_requests"), false, listPullsOfCommit},
	{"GET", inRepo + "/commits/{ref...}", reads("contents"), false, getCommit},
	{"POST", inRepo + "/statuses/{sha}", writes("statuses"), false, postStatus},
}

var pullRoutes = []route{
	{"GET", inRepo + "/pulls", reads("pull_requests"), false, listPulls},
	{"GET", inRepo + "/pulls/{pull_number}", reads("pull_requests"), false, getPull},
	{"GET", inRepo + "/pulls/{pull_number}/files", reads("pull_requests"), false, listPullFiles},
}

var issueRoutes = []route{
	{"GET", inRepo + "/issues", reads("issues", "pull_requests"), false, listIssues},
	{"POST", inRepo + "/issues", writes("issues"), false, postIssue},
	{"GET", inRepo + "/issues/comments/{comment_id}", reads("issues", "pull_requests"), false, getComment},
	{"PATCH", inRepo + "/issues/comments/{comment_id}", writes("issues", "pull_requests"), false, patchComment},
	{"DELETE", inRepo + "/issues/comments/{comment_id}", writes("issues", "pull_requests"), false, deleteComment},
	{"GET", inRepo + "/issues/{issue_number}", reads("issues", "pull_requests"), false, getIssue},
	{"PATCH", inRepo + "/issues/{issue_number}", writes("issues", "pull_requests"), false, patchIssue},
	{"GET", inRepo + "/issues/{issue_number}/comments", reads("issues", "pull_requests"), false, listComments},
	{"POST", inRepo + "/issues/{issue_number}/comments", writes("issues", "pull_requests"), false, postComment},
	{"GET", inRepo + "/issues/{issue_number}/labels", reads("issues", "pull_requests"), false, listIssueLabels},
	{"POST", inRepo + "/issues/{issue_number}/labels", writes("issues", "pull_requests"), false, postIssueLabels},
	{"DELETE", inRepo + "/issues/{issue_number}/labels/{name}", writes("issues", "pull_requests"), false, deleteIssueLabel},
	{"GET", inRepo + "/labels", reads("issues", "pull_requests"), false, listLabels},
	{"POST", inRepo + "/labels", writes("issues", "pull_requests"), false, postLabel},
}

var deployRoutes = []route{
	{"GET", inRepo + "/deployments", reads("deployments"), false, listDeployments},
	{"POST", inRepo + "/deployments", writes("deployments"), false, postDeployment},
	{"GET", inRepo + "/deployments/{deployment_id}", reads("deployments"), false, getDeployment},
	{"GET", inRepo + "/deployments/{deployment_id}/statuses", reads("deployments"), false, listDeploymentStatuses},
	{"POST", inRepo + "/deployments/{deployment_id}/statuses", writes("deployments"), false, postDeploymentStatus},
	{"GET", inRepo + "/actions/oidc/customization/sub", reads("actions"), false, getSubjectForm},
	{"GET", inRepo + "/environments", reads("actions"), false, listEnvironments},
	{"GET", inRepo + "/environments/{environment_name}", reads("actions"), false, getEnvironment},
	{"GET", inRepo + "/environments/{environment_name}/deployment-branch-policies", reads("actions"), false, listBranchPolicies},
}

var actionsRoutes = []route{
	{"POST", inRepo + "/dispatches", writes("contents"), false, postDispatch},
	{"POST", inRepo + "/actions/workflows/{workflow_id}/dispatches", writes("actions"), false, postWorkflowDispatch},
	{"GET", inRepo + "/actions/workflows/{workflow_id}/runs", reads("actions"), false, listRuns},
	{"GET", inRepo + "/actions/workflows", reads("actions"), false, listWorkflows},
	{"GET", inRepo + "/actions/runs", reads("actions"), false, listRuns},
	{"GET", inRepo + "/actions/runs/{run_id}", reads("actions"), false, getRun},
	{"GET", inRepo + "/actions/runs/{run_id}/attempts/{attempt_number}", reads("actions"), false, getRun},
	{"GET", inRepo + "/actions/runs/{run_id}/jobs", reads("actions"), false, listJobs},
	{"GET", inRepo + "/actions/runs/{run_id}/approvals", reads("actions"), false, listApprovals},
	{"GET", inRepo + "/actions/runs/{run_id}/pending_deployments", reads("actions"), false, listPending},
	{"POST", inRepo + "/actions/runs/{run_id}/pending_deployments", writes("deployments"), false, postReview},
	{"POST", inRepo + "/actions/runs/{run_id}/cancel", writes("actions"), false, postCancel},
	{"POST", inRepo + "/actions/runs/{run_id}/force-cancel", writes("actions"), false, postForceCancel},
}

var settingsRoutes = []route{
	{"GET", "/users/{username}", nil, false, getAccount},
	{"PUT", inRepo + "/environments/{environment_name}", writes(administration), false, putEnvironment},
	{"DELETE", inRepo + "/environments/{environment_name}", writes(administration), false, deleteEnvironment},
	{"POST", inRepo + "/environments/{environment_name}/deployment-branch-policies", writes(administration), false, postBranchPolicy},
	{"DELETE", inRepo + "/environments/{environment_name}/deployment-branch-policies/{branch_policy_id}", writes(administration), false, deleteBranchPolicy},
	{"PUT", inRepo + "/actions/permissions", writes(administration), false, putActionsPermissions},
	{"PUT", inRepo + "/actions/permissions/workflow", writes(administration), false, putWorkflowPermissions},
	{"GET", inRepo + "/actions/variables/{name}", reads(variables), false, getVariable},
	{"POST", inRepo + "/actions/variables", writes(variables), false, postVariable},
	{"PATCH", inRepo + "/actions/variables/{name}", writes(variables), false, patchVariable},
	{"DELETE", inRepo + "/actions/variables/{name}", writes(variables), false, deleteVariable},
	{"GET", inRepo + "/rulesets", reads("metadata"), false, listRulesets},
	{"POST", inRepo + "/rulesets", writes(administration), false, postRuleset},
	{"GET", inRepo + "/rulesets/{ruleset_id}", reads("metadata"), false, getRuleset},
	{"PUT", inRepo + "/rulesets/{ruleset_id}", writes(administration), false, putRuleset},
	{"DELETE", inRepo + "/rulesets/{ruleset_id}", writes(administration), false, deleteRuleset},
	{"GET", "/orgs/{org}/teams", reads("members"), false, listTeams},
	{"GET", inRepo + "/actions/permissions", reads(administration), false, getActionsPermissions},
	{"GET", inRepo + "/actions/permissions/workflow", reads(administration), false, getWorkflowPermissions},
	{"GET", inRepo + "/actions/secrets", reads(secrets), false, listSecrets},
	{"GET", inRepo + "/actions/variables", reads(variables), false, listVariables},
	{"GET", inRepo + "/rules/branches/{branch...}", reads("metadata"), false, listBranchRules},
}
