package config

import (
	"errors"
	"fmt"
	"regexp"
	"slices"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/strictyaml"
	"github.com/metapipe/metapipe/pkg/text"
)

// form is the form of a name that AWS gives. Its bounds stand beside the pattern
// and not in it, where they would be unrolled at every start of the program.
type form struct {
	least, most int // bytes
	pattern     func() *regexp.Regexp
	remedy      string
}

func (f form) fits(s string) bool {
	return len(s) >= f.least && len(s) <= f.most && f.pattern().MatchString(s)
}

var (
	// https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
	bucketForm = form{3, 63, text.Pattern(`^[a-z0-9][a-z0-9-]*(\.[a-z0-9][a-z0-9-]*)*$`), "write the plain name of a bucket, 3 to 63 of a-z, 0-9, - and ., without s3://"}
	regionForm = form{9, 40, text.Pattern(`^[a-z]+(-[a-z]+)+-[0-9]+$`), "write a region such as eu-central-1"}
	keyForm    = form{1, 512, text.Pattern(`^[A-Za-z0-9:/_-]+$`), "write the id, the ARN or the alias of a KMS key"}
	// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
	tableForm = form{3, 255, text.Pattern(`^[A-Za-z0-9_.-]+$`), "write the name of a DynamoDB table"}
	typeForm  = form{1, 41, text.Pattern(`^[a-z][a-z0-9_]*$`), "write the type of a backend, such as gcs, azurerm or http"}
)

func (d *decoder) matched(v value, to *string, f form) {
	s, ok := d.text(v)
	if !ok {
		return
	}
	if !f.fits(s) {
		d.add(v.at, RuleValue, fmt.Sprintf("%s is %q", v.name, strictyaml.Short(s)), f.remedy)
		return
	}
	*to = s
}

// targetPlaceholders are those that templates may hold for the parts of a target.
func (d *decoder) targetPlaceholders() []string {
	if d.stacked {
		return []string{pipeline.PlaceholderCustomer, pipeline.PlaceholderEnvironment, pipeline.PlaceholderStack}
	}
	return []string{pipeline.PlaceholderCustomer, pipeline.PlaceholderEnvironment}
}

// template checks a text with placeholders, as every template is checked.
func (d *decoder) template(v value, t pipeline.Template, placeholders ...string) bool {
	err := t.Check(placeholders...)
	if err == nil {
		return true
	}
	message, remedy := err.Error(), ""
	var why *pipeline.TemplateError
	if errors.As(err, &why) {
		message, remedy = why.Message, why.Next
	}
	d.add(v.at, RuleTemplate, v.name+" "+message, remedy)
	return false
}

// locating are the arguments of a backend that say where a state lies. Others, such as
// the address of its lock, do not keep two states apart.
// https://developer.hashicorp.com/terraform/language/backend
var locating = map[string][]string{
	pipeline.BackendLocal: {"path"},
	"azurerm":             {"storage_account_name", "container_name", "key"},
	"consul":              {"path"},
	"cos":                 {"bucket", "prefix", "key"},
	"gcs":                 {"bucket", "prefix"},
	"http":                {"address"},
	"kubernetes":          {"namespace", "secret_suffix"},
	"oss":                 {"bucket", "prefix", "key"},
	"pg":                  {"schema_name"}, // conn_str holds a password, and its database may be one for all
	"s3":                  {"bucket", "key"},
}

// reservedEnvironments are names that the store gives to other things beside
// the environments of a customer.
var reservedEnvironments = []string{"requests", "pulls", "ledger"}

func (d *decoder) environmentName(v value) pipeline.Environment {
	s, ok := d.text(v)
	if !ok {
		return ""
	}
	env, err := pipeline.ParseEnvironment(s)
	if err != nil {
		d.add(v.at, RuleName, fmt.Sprintf("%s is %q", v.name, strictyaml.Short(s)), "use 1–40 lower-case letters, digits and inner hyphens")
		return ""
	}
	if slices.Contains(reservedEnvironments, s) {
		d.add(v.at, RuleReservedName, fmt.Sprintf("an environment cannot be called %q: the store uses that name", s), "choose another name")
		return ""
	}
	return env
}
