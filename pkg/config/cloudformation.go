package config

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/strictyaml"
	"github.com/metapipe/metapipe/pkg/text"
)

// templateFiles are the names of the template of a stack of CloudFormation, in its root.
var templateFiles = []string{"template.yml", "template.yaml", "template.json"}

// stackNameForm is that of the name of a stack of CloudFormation, or of its beginning.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateChangeSet.html
var stackNameForm = form{1, 115, text.Pattern(`^[A-Za-z][A-Za-z0-9-]*$`), ""}

// The forms of tags that CloudFormation takes, without those of AWS itself.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_Tag.html
var (
	tagKeyForm   = form{1, 128, text.Pattern(`^[A-Za-z0-9 _.:/=+@-]+$`), ""}
	tagValueForm = form{1, 256, text.Pattern(`^[A-Za-z0-9 _.:/=+@-]+$`), ""}
)

// maxTags leaves one of fifty for metapipe.
const maxTags = 49

var capabilities = []string{"CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"}

// cloudFormation reads what only a stack of CloudFormation has; item is the stack.
func (d *decoder) cloudFormation(v, item value, to *pipeline.CloudFormationRule) {
	if tool := item.Get("tool"); tool == nil || tool.Text != pipeline.CloudFormationTool {
		d.add(v.at, RuleValue, v.name+" is set, and the tool of the stack is not "+pipeline.CloudFormationTool, "remove it, or write tool: "+pipeline.CloudFormationTool)
		return
	}
	d.read(v, fields{
		"stack_name": func(v value) { d.cloudFormationName(v, to) },
		"region":     func(v value) { d.matched(v, &to.Region, regionForm) },
		"role":       func(v value) { d.serviceRole(v, &to.Role) },
		"capabilities": func(v value) {
			d.list(v, func(item value) {
				if s, ok := d.choice(item, capabilities...); ok && !slices.Contains(to.Capabilities, s) {
					to.Capabilities = append(to.Capabilities, s)
				}
			})
		},
		"tags":            func(v value) { d.tags(v, to) },
		"import_existing": func(v value) { to.ImportExisting = d.boolean(v) },
	})
}

// cloudFormationName reads how the names of stacks begin. What the placeholders stand for is kept apart behind it.
func (d *decoder) cloudFormationName(v value, to *pipeline.CloudFormationRule) {
	s, ok := d.text(v)
	if !ok {
		return
	}
	filled := pipeline.Template(s).Fill(pipeline.Target{Customer: "0", Environment: "0", Stack: "0"}, "")
	if !stackNameForm.fits(filled) {
		d.add(v.at, RuleValue, fmt.Sprintf("%s is %q, which cannot begin the name of a stack", v.name, strictyaml.Short(s)),
			"begin with a letter, and write letters, digits, hyphens and "+strings.Join(d.targetPlaceholders(), ", ")+" only")
		return
	}
	to.StackName = pipeline.Template(s)
}

func (d *decoder) serviceRole(v value, to *string) {
	s, ok := d.text(v)
	if !ok {
		return
	}
	if !roleForm.fits(s) {
		d.add(v.at, RuleValue, fmt.Sprintf("%s is %q, which is not the ARN of a role", v.name, strictyaml.Short(s)), "write one such as arn:aws:iam::123456789012:role/cloudformation")
		return
	}
	*to = s
}

func (d *decoder) tags(v value, to *pipeline.CloudFormationRule) {
	if !d.is(v, strictyaml.Object) {
		return
	}
	if len(v.Entries) > maxTags {
		d.add(v.at, RuleValue, fmt.Sprintf("%s has %d tags, and CloudFormation takes %d beside that of metapipe", v.name, len(v.Entries), maxTags), "remove some")
		return
	}
	to.Tags = map[string]string{}
	for _, e := range v.Entries {
		item := value{Node: e.Value, name: v.name + "." + e.Key, at: e.Place()}
		s, ok := d.text(item)
		filled := pipeline.Template(s).Fill(pipeline.Target{Customer: "x", Environment: "x", Stack: "x"}, "")
		lower := strings.ToLower(e.Key)
		switch {
		case !ok:
		case !tagKeyForm.fits(e.Key) || strings.HasPrefix(lower, "aws:") || strings.HasPrefix(lower, "metapipe:"):
			d.add(e.KeyPlace(), RuleName, fmt.Sprintf("%q cannot be the key of a tag", strictyaml.Short(e.Key)), "use letters, digits, spaces and _.:/=+@-, and neither aws: nor metapipe: at the beginning")
		case !tagValueForm.fits(filled):
			d.add(item.at, RuleValue, fmt.Sprintf("%s is %q, which cannot be the value of a tag", item.name, strictyaml.Short(s)), "use letters, digits, spaces, _.:/=+@- and "+strings.Join(d.targetPlaceholders(), ", "))
		default:
			to.Tags[e.Key] = s
		}
	}
}

// holdsTemplate reports whether one of the entries is a template.
func holdsTemplate(entries []fs.DirEntry) bool {
	return slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return !e.IsDir() && slices.Contains(templateFiles, e.Name()) })
}
