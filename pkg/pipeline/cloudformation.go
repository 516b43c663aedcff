package pipeline

import "strings"

// CloudFormationTool is the tool whose stacks AWS builds from a template.
const CloudFormationTool = "cloudformation"

// CloudFormationRule is what metapipe.yml says of a stack of CloudFormation.
type CloudFormationRule struct {
	// StackName begins the name of the stack in AWS; empty: DefaultCloudFormationName.
	StackName    Template `json:",omitempty"`
	Region       string   `json:",omitempty"` // empty: that of the environment
	Capabilities []string `json:",omitempty"`
	Role         string   `json:",omitempty"` // ARN of the role that CloudFormation takes; empty: it has that of the job
	// Tags are on the stack and its resources, beside TagTarget.
	Tags map[string]string `json:",omitempty"`
	// ImportExisting takes over resources that are there under the name that the template gives them.
	ImportExisting bool `json:",omitempty"`
}

// DefaultCloudFormationName begins the names of stacks. A name begins with a letter, and those of
// customers may not.
const DefaultCloudFormationName Template = "metapipe-" + PlaceholderCustomer + "-" + PlaceholderEnvironment + "-" + PlaceholderStack

// TagTarget is the tag that says which target a stack is of.
const TagTarget = "metapipe:target"

// maxCloudFormationName is the length of the name of a stack.
// Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateChangeSet.html
const maxCloudFormationName = 128

// stackNameHash are the digits that keep the names of targets apart: names of stacks hold nothing but
// letters, digits and hyphens, and those of customers, environments and stacks hold hyphens too.
const stackNameHash = 12

// Name is the name of the stack of a target in AWS. No two targets have the same.
func (r CloudFormationRule) Name(t Target) string {
	begin := r.StackName
	if begin == "" {
		begin = DefaultCloudFormationName
	}
	text := strings.TrimRight(begin.Fill(t, ""), "-")
	if most := maxCloudFormationName - stackNameHash - 1; len(text) > most {
		text = text[:most]
	}
	return text + "-" + SHA256Hex([]byte(t.Folder()))[:stackNameHash]
}

// Backend names the stack as the place of the state of a target.
func (r CloudFormationRule) Backend(t Target) Backend {
	config := map[string]string{"stack": r.Name(t)}
	if r.Region != "" {
		config["region"] = r.Region
	}
	return Backend{Type: CloudFormationTool, Config: config}
}

// Backend is where the state of a target is; see State.Target. A tool that keeps its states itself
// has a place of its own.
func (m Manager) Backend(t Target, directory string) Backend {
	stack, declared := m.Stack(t.Stack)
	switch {
	case declared && stack.Tool.Name == CloudFormationTool:
		return stack.Tool.CloudFormation.Backend(t)
	case declared && stack.Tool.Kubernetes.Namespace != "":
		return stack.Tool.Kubernetes.Backend(stack.Tool.Name, t)
	}
	return m.State.Target(t, directory)
}

// StateInStore reports whether the state of a target lies in the store, beside the plans.
func (m Manager) StateInStore(t Target) bool {
	kind := m.Backend(t, "").Type
	return m.State.Backend.Type == "" && (kind == BackendLocal || kind == BackendS3)
}
