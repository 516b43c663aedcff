package spacelift

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// vendorTypes are the types of answers by the members of VendorConfigInput.
var vendorTypes = map[string]string{
	"ansible": "StackConfigVendorAnsible", "cloudFormation": "StackConfigVendorCloudFormation",
	"kubernetes": "StackConfigVendorKubernetes", "opentofu": "StackConfigVendorOpenTofu", "pulumi": "StackConfigVendorPulumi",
	"terraform": "StackConfigVendorTerraform", "terragrunt": "StackConfigVendorTerragrunt",
}

// customTools are the workflow tools whose version Spacelift does not choose.
var customTools = map[string]string{"workflowTool": "CUSTOM", "kubernetesWorkflowTool": "CUSTOM", "tool": "MANUALLY_PROVISIONED"}

// setVendor sets the tool of a stack, and reports what is wrong with it. A stack without one
// has Terraform.
func (st *Stack) setVendor(in map[string]any) []string {
	given := map[string]map[string]any{}
	for kind := range vendorTypes {
		if settings, isGiven := in[kind].(map[string]any); isGiven {
			given[kind] = settings
		}
	}
	if in == nil {
		given["terraform"] = map[string]any{}
	}
	if len(given) != 1 {
		return []string{fmt.Sprintf("vendor config: exactly one vendor must be set, got %d", len(given))}
	}
	kind := slices.Collect(maps.Keys(given))[0]
	st.Vendor = Vendor{Kind: kind, Settings: given[kind]}
	return st.Vendor.versionErrors()
}

func (v Vendor) versionErrors() []string {
	name := v.Kind
	if name == "opentofu" {
		name = "open tofu"
	}
	custom := false
	for field, tool := range customTools {
		custom = custom || str(v.Settings, field) == tool
	}
	var errs []string
	for _, field := range []string{"version", "terraformVersion", "terragruntVersion", "kubectlVersion"} {
		version := str(v.Settings, field)
		switch {
		case version == "":
		case custom && field != "terragruntVersion":
			errs = append(errs, name+": specifying version for custom tool workflow is not possible")
		case !isVersionRange(version):
			errs = append(errs, fmt.Sprintf("%s: could not parse version range %q", name, version))
		}
	}
	return errs
}

var versionTerm = regexp.MustCompile(`^(?:=|==|!=|!|>|>=|<|<=)?v?\d+(?:\.(?:\d+|x))?(?:\.(?:\d+|x))?(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?$`)

var versionGap = regexp.MustCompile(`([<>=!])\s+`)

// isVersionRange reports whether a text is a version or a range of versions, such as
// ">=1.5.0 <1.6.0 || 1.9.x".
func isVersionRange(text string) bool {
	for alternative := range strings.SplitSeq(text, "||") {
		terms := strings.Fields(versionGap.ReplaceAllString(alternative, "$1"))
		if len(terms) == 0 || slices.ContainsFunc(terms, func(term string) bool { return !versionTerm.MatchString(term) }) {
			return false
		}
	}
	return true
}

// defaultTools are the workflow tools of vendors that are not given one.
var defaultTools = map[string][2]string{
	"terraform": {"workflowTool", "TERRAFORM_FOSS"}, "opentofu": {"workflowTool", "OPENTOFU"},
	"kubernetes": {"kubernetesWorkflowTool", "KUBERNETES"}, "terragrunt": {"tool", "TERRAFORM_FOSS"},
}

// fields are the settings with the defaults of those that are not set.
func (v Vendor) fields() object {
	out := object{"__typename": vendorTypes[v.Kind]}
	for _, name := range []string{"useSmartSanitization", "externalStateAccessEnabled", "useRunAll", "concise"} {
		out[name] = false
	}
	if tool, has := defaultTools[v.Kind]; has {
		out[tool[0]] = tool[1]
	}
	for name, value := range v.Settings {
		if value != nil {
			out[name] = value
		}
	}
	return out
}
