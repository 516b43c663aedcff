package pipeline

import (
	"path"
	"slices"
	"strings"
)

// PropertyRules say which custom properties of the customers' repositories count, and for
// what. A property can only narrow what the files of the manager allow.
type PropertyRules struct {
	// Names are those of the properties on GitHub. A meaning without a name is not used.
	Names map[PropertyMeaning]string
	// DefaultTools are enabled where the property for them is unset: names of tools or of
	// stacks; nil: all that the customer has.
	DefaultTools []string
	// Regions are the patterns (path.Match) of the regions that each value of the property
	// allows.
	Regions map[string][]string
	// RegionKeys are the patterns of the keys of variables.yml that hold a region, in lower
	// case.
	RegionKeys []string
	// Claims: what counts must also be in the ID token that signs a request.
	Claims bool
	// Definitions are what metapipe.yml says of definitions on GitHub, by name.
	Definitions []WantedProperty `json:",omitempty"`
}

// WantedProperty is the definition of a custom property as metapipe.yml has it. What it leaves out
// stays on GitHub as it is.
type WantedProperty struct {
	Name        string
	Type        PropertyType
	Values      []string // of the two kinds of selection
	Default     Property // unset: not said
	Description string   // empty: not said
	EditableBy  string   // empty: not said
}

// Uses reports whether a property counts.
func (r *PropertyRules) Uses(name string) bool {
	if r == nil {
		return false
	}
	for meaning, used := range r.Names {
		if strings.EqualFold(used, name) && !meaning.IsInformation() {
			return true
		}
	}
	return false
}

// PropertyMeaning is what a property is used for.
type PropertyMeaning string

// The meanings.
const (
	MeaningTools    PropertyMeaning = "tools"    // a list of tools or stacks
	MeaningVersion  PropertyMeaning = "version"  // of the tool
	MeaningApproval PropertyMeaning = "approval" // of each apply
	MeaningRegion   PropertyMeaning = "region"   // of what variables.yml names
	// MeaningAutoDeploy: whether a push is applied without anyone who starts the apply.
	MeaningAutoDeploy PropertyMeaning = "auto_deploy"
	MeaningContent    PropertyMeaning = "content" // of the repository: its content type
	// What follows narrows no request: people and other tools read it.
	MeaningStackName  PropertyMeaning = "stack_name"
	MeaningInventory  PropertyMeaning = "inventory"
	MeaningTier       PropertyMeaning = "tier"
	MeaningTeam       PropertyMeaning = "team"
	MeaningBilling    PropertyMeaning = "billing_account"
	MeaningSecurity   PropertyMeaning = "security_contact"
	MeaningCustomerID PropertyMeaning = "customer_id"
)

// PropertyMeanings are all meanings, in the order in which they are shown and recorded.
var PropertyMeanings = []PropertyMeaning{MeaningTools, MeaningVersion, MeaningApproval, MeaningAutoDeploy, MeaningRegion, MeaningContent,
	MeaningStackName, MeaningInventory, MeaningTier, MeaningTeam, MeaningBilling, MeaningSecurity, MeaningCustomerID}

// IsInformation reports whether a property of this meaning narrows no request. It is not recorded.
func (m PropertyMeaning) IsInformation() bool {
	switch m {
	case MeaningStackName, MeaningInventory, MeaningTier, MeaningTeam, MeaningBilling, MeaningSecurity, MeaningCustomerID:
		return true
	}
	return false
}

// DefaultPropertyRules are those of an empty `properties` in metapipe.yml.
func DefaultPropertyRules() PropertyRules {
	return PropertyRules{
		Names: map[PropertyMeaning]string{
			MeaningTools: "infrastructure_tools", MeaningVersion: "terraform_version",
			MeaningApproval: "infrastructure_approval_required", MeaningRegion: "region_restriction", MeaningAutoDeploy: "spacelift_auto_deploy",
			MeaningContent: "repo_content_type", MeaningStackName: "spacelift_stack_name", MeaningInventory: "ansible_inventory_path", MeaningTier: "customer_tier", MeaningTeam: "team_owner",
			MeaningBilling: "billing_account", MeaningSecurity: "security_contact", MeaningCustomerID: "customer_id",
		},
		// The names that AWS, Google Cloud and others give to regions.
		Regions: map[string][]string{
			"us-only": {"us-*"}, "eu-only": {"eu-*", "europe-*"}, "apac-only": {"ap-*", "asia-*", "australia-*"}, "global": {"*"},
		},
		RegionKeys: []string{"*region", "*regions"},
	}
}

// isRegionKey reports whether a key of variables.yml holds a region.
func (r PropertyRules) isRegionKey(key string) bool {
	return matchesAny(r.RegionKeys, strings.ToLower(key))
}

func matchesAny(patterns []string, text string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		good, err := path.Match(pattern, text)
		return err == nil && good
	})
}
