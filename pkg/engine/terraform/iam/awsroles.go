package iam

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

// Roles are IAM roles that GitHub Actions takes with ID tokens.
type Roles struct {
	Head     []string // comment lines at the top, without "#"
	Issuer   string   // https://token.actions.githubusercontent.com, without a slash at the end
	Boundary string   // name of the permissions boundary; its policy is BoundaryPolicy
	// BoundaryPolicy is a JSON document, an IAM policy.
	BoundaryPolicy []byte
	Roles          []Role
	Outputs        []Output
}

// Role is one role with its trust policy and its inline policies.
type Role struct {
	Label       string // of the resource; unique
	Name        string
	Path        string // "/" or "/path/"
	Description string
	Subjects    []string // the exact values of the claim sub that may take the role
	Session     time.Duration
	Policies    []Policy
	// Bounded roles get the permissions boundary and the policies of Variable, a
	// variable of the module: what Terraform may read or build.
	Bounded  bool
	Variable string
}

// Policy is an inline policy. Document is JSON.
type Policy struct {
	Name     string
	Document []byte
}

// Output is the ARN of a role under the name of a GitHub variable.
type Output struct{ Name, Description, Label string }

// Audience is the audience of the ID tokens that AWS takes.
const Audience = "sts.amazonaws.com"

// HCL writes the roles as Terraform, formatted as `terraform fmt` does it.
func (r Roles) HCL() ([]byte, error) {
	file := hclwrite.NewEmptyFile()
	body := file.Body()
	for _, line := range r.Head {
		comment(body, line)
	}
	r.settings(body)
	r.provider(body)
	if err := r.boundary(body); err != nil {
		return nil, err
	}
	for _, role := range r.Roles {
		if err := r.role(body, role); err != nil {
			return nil, fmt.Errorf("write the role %s: %w", role.Name, err)
		}
	}
	for _, o := range r.Outputs {
		b := addBlock(body, "output", o.Name)
		b.SetAttributeValue("description", cty.StringVal(o.Description))
		b.SetAttributeTraversal("value", attributeOf("aws_iam_role", o.Label, "arn"))
	}
	return hclwrite.Format(file.Bytes()), nil
}

func (r Roles) settings(body *hclwrite.Body) {
	required := addBlock(body, "terraform").AppendNewBlock("required_providers", nil).Body()
	required.SetAttributeValue("aws", cty.ObjectVal(map[string]cty.Value{"source": cty.StringVal("hashicorp/aws"), "version": cty.StringVal(">= 5.81")}))
	var names []string
	for _, role := range r.Roles {
		if role.Variable != "" && !slices.Contains(names, role.Variable) {
			names = append(names, role.Variable)
		}
	}
	for _, name := range names {
		b := addBlock(body, "variable", name)
		b.SetAttributeValue("description", cty.StringVal("ARNs of the policies that say what Terraform may do in the cloud for `"+strings.TrimSuffix(name, "_policy_arns")+"`."))
		b.SetAttributeRaw("type", hclwrite.TokensForFunctionCall("set", hclwrite.TokensForIdentifier("string")))
		b.SetAttributeRaw("default", hclwrite.TokensForTuple(nil))
	}
}

func (r Roles) provider(body *hclwrite.Body) {
	body.AppendNewline()
	comment(body, "An account has one provider for each address. Where this one exists: terraform import aws_iam_openid_connect_provider.github ARN")
	b := body.AppendNewBlock("resource", []string{"aws_iam_openid_connect_provider", "github"}).Body()
	b.SetAttributeValue("url", cty.StringVal(r.Issuer))
	b.SetAttributeValue("client_id_list", cty.ListVal([]cty.Value{cty.StringVal(Audience)}))
}

func (r Roles) boundary(body *hclwrite.Body) error {
	if len(r.BoundaryPolicy) == 0 {
		return nil
	}
	policy, err := encoded(r.BoundaryPolicy)
	if err != nil {
		return fmt.Errorf("write the permissions boundary: %w", err)
	}
	body.AppendNewline()
	comment(body, "What Terraform may never do with a role that takes it: change these roles, their provider or this boundary.")
	b := body.AppendNewBlock("resource", []string{"aws_iam_policy", "boundary"}).Body()
	b.SetAttributeValue("name", cty.StringVal(r.Boundary))
	b.SetAttributeRaw("policy", policy)
	return nil
}

func (r Roles) role(body *hclwrite.Body, role Role) error {
	trust, err := encoded(r.trust(role.Subjects))
	if err != nil {
		return err
	}
	b := addBlock(body, "resource", "aws_iam_role", role.Label)
	b.SetAttributeValue("name", cty.StringVal(role.Name))
	if role.Path != "/" {
		b.SetAttributeValue("path", cty.StringVal(role.Path))
	}
	b.SetAttributeValue("description", cty.StringVal(role.Description))
	b.SetAttributeValue("max_session_duration", cty.NumberIntVal(int64(role.Session/time.Second)))
	if role.Bounded {
		b.SetAttributeTraversal("permissions_boundary", attributeOf("aws_iam_policy", "boundary", "arn"))
	}
	b.SetAttributeRaw("assume_role_policy", trust)
	for _, p := range role.Policies {
		policy, err := encoded(p.Document)
		if err != nil {
			return err
		}
		b := addBlock(body, "resource", "aws_iam_role_policy", role.Label+"-"+p.Name)
		b.SetAttributeValue("name", cty.StringVal(p.Name))
		b.SetAttributeTraversal("role", attributeOf("aws_iam_role", role.Label, "id"))
		b.SetAttributeRaw("policy", policy)
	}
	if role.Variable != "" {
		b := addBlock(body, "resource", "aws_iam_role_policy_attachment", role.Label)
		b.SetAttributeTraversal("for_each", attributeOf("var", role.Variable))
		b.SetAttributeTraversal("role", attributeOf("aws_iam_role", role.Label, "name"))
		b.SetAttributeTraversal("policy_arn", attributeOf("each", "value"))
	}
	return nil
}

// providerARN stands in a document for the ARN that only Terraform knows. No other
// string of a document begins with it, since IAM has no such variable.
const providerARN = "${provider}"

// trust is the trust policy of a role. The claims are compared letter by letter.
func (r Roles) trust(subjects []string) []byte {
	claims := strings.TrimPrefix(r.Issuer, "https://")
	literal := make([]string, len(subjects))
	for i, s := range subjects {
		literal[i] = strings.ReplaceAll(s, "$", "${$}") // IAM reads ${…} as a variable
	}
	type statement struct {
		Effect    string
		Principal map[string]string
		Action    string
		Condition map[string]map[string]any
	}
	document, err := json.Marshal(struct {
		Version   string
		Statement []statement
	}{"2012-10-17", []statement{{"Allow", map[string]string{"Federated": providerARN}, "sts:AssumeRoleWithWebIdentity",
		map[string]map[string]any{"StringEquals": {claims + ":aud": Audience, claims + ":sub": literal}}}}})
	if err != nil {
		panic("trust policy: " + err.Error()) // plain strings always encode
	}
	return document
}

// TrustSize is the size of the role's trust policy as IAM counts it.
func (r Roles) TrustSize(role Role) int {
	return len(r.trust(role.Subjects)) + len(":oidc-provider/") + 60
}

func addBlock(body *hclwrite.Body, kind string, labels ...string) *hclwrite.Body {
	body.AppendNewline()
	return body.AppendNewBlock(kind, labels).Body()
}

// comment writes one line; a line break in it would begin code.
func comment(body *hclwrite.Body, line string) {
	line = strings.TrimRight("# "+strings.NewReplacer("\n", " ", "\r", " ").Replace(line), " ")
	body.AppendUnstructuredTokens(hclwrite.Tokens{{Type: hclsyntax.TokenComment, Bytes: []byte(line + "\n")}})
}

func attributeOf(root string, steps ...string) hcl.Traversal {
	t := hcl.Traversal{hcl.TraverseRoot{Name: root}}
	for _, s := range steps {
		t = append(t, hcl.TraverseAttr{Name: s})
	}
	return t
}
