package hub

import "maps"

// commonProperties are those of a repository that is made without any of its own:
// every form of a value that GitHub has, and names of all letters that it allows.
func commonProperties() Properties {
	return Properties{
		"infrastructure_tools": []string{"terraform", "ansible"}, "regions": []string{},
		"customer_tier": "enterprise", "auto_deploy": "false", "runbook": "https://wiki.example/shop",
		"team_owner": nil, "id": "1", "full_name": []string{"other/name"}, "cost-center#1$": "4711",
	}
}

// SetProperties gives the repository other custom properties: Properties, or a
// json.RawMessage of any form, also one that GitHub does not have today.
func (r *Repo) SetProperties(p any) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	if known, isKnown := p.(Properties); isKnown {
		p = maps.Clone(known)
	}
	r.properties = p
}
