package cli

// grants are the permissions that a command needs of a token for another repository, in
// the names of GitHub's API. A token of an App gets these and no others; docs/SETUP.md
// says the same to those who make tokens by hand ("What each command needs").
type grants map[string]string

var (
	grantSend       = grants{"contents": "write"} // trigger and forward, of the manager's repository or of the inbox
	grantFetch      = grants{"actions": "read", "contents": "read", "deployments": "read", "pull_requests": "read", "statuses": "write"}
	grantReport     = grants{"deployments": "write", "pull_requests": "write", "statuses": "write"}
	grantApplying   = grants{"statuses": "write"} // report --applying
	grantRead       = grants{"deployments": "read", "pull_requests": "read", "statuses": "read"}
	grantCompare    = grants{"deployments": "read", "statuses": "read"} // ledger --verify
	grantScan       = grants{"contents": "read", "deployments": "read"} // drift
	grantMoved      = grants{"deployments": "read"}                     // plan --state
	grantIssues     = grants{"issues": "write"}                         // drift --issues
	grantProperties = grants{"metadata": "read"}                        // properties show
	grantStacks     = grants{"contents": "read", "metadata": "read"}    // spacelift
)

// reportGrants are those of report, which has a small form.
func reportGrants(applying string) grants {
	if applying != "" {
		return grantApplying
	}
	return grantReport
}

// sweepGrants are those of sweep, which writes only when it repairs.
func sweepGrants(fix bool) grants {
	if fix {
		return grantReport
	}
	return grantRead
}

// setGrants are those of properties set, which writes only with --apply.
func setGrants(apply bool) grants {
	level := "read"
	if apply {
		level = "write"
	}
	return grants{"metadata": "read", "organization_custom_properties": level}
}

// organizationGrants are those of commands that read whole organizations, and set properties only with --apply.
func organizationGrants(apply bool) grants {
	g := setGrants(apply)
	g["contents"], g["members"] = "read", "read"
	return g
}

// complianceGrants are those of compliance, which writes values only with --apply and issues of customers only with
// --customer-issues.
func complianceGrants(o complianceOptions) grants {
	needs := organizationGrants(o.apply)
	if o.customerIssues > 0 {
		needs["issues"] = "write"
	}
	return needs
}
