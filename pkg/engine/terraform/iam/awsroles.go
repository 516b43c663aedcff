package iam

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
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
	var parts []code // with a blank line between them
	var head code
	for _, line := range r.Head {
		head = append(head, comment(line)...)
	}
	parts = append(append(parts, head), r.settings()...)
	parts = append(parts, r.provider())
	boundary, err := r.boundary()
	if err != nil {
		return nil, err
	}
	if boundary != nil {
		parts = append(parts, boundary)
	}
	for _, role := range r.Roles {
		written, err := r.role(role)
		if err != nil {
			return nil, fmt.Errorf("write the role %s: %w", role.Name, err)
		}
		parts = append(parts, written...)
	}
	for _, o := range r.Outputs {
		parts = append(parts, block("output", []string{o.Name},
			attribute("description", str(o.Description)),
			attribute("value", text("aws_iam_role."+o.Label+".arn"))))
	}
	texts := make([]string, len(parts))
	for i, part := range parts {
		texts[i] = part.String()
	}
	return []byte(strings.Join(texts, "\n")), nil
}

func (r Roles) settings() []code {
	parts := []code{block("terraform", nil, block("required_providers", nil,
		attribute("aws", object(attribute("source", str("hashicorp/aws")), attribute("version", str(">= 5.81"))))))}
	var names []string
	for _, role := range r.Roles {
		if role.Variable != "" && !slices.Contains(names, role.Variable) {
			names = append(names, role.Variable)
		}
	}
	for _, name := range names {
		parts = append(parts, block("variable", []string{name},
			attribute("description", str("ARNs of the policies that say what Terraform may do in the cloud for `"+strings.TrimSuffix(name, "_policy_arns")+"`.")),
			attribute("type", text("set(string)")),
			attribute("default", list(nil))))
	}
	return parts
}

func (r Roles) provider() code {
	return append(comment("An account has one provider for each address. Where this one exists: terraform import aws_iam_openid_connect_provider.github ARN"),
		block("resource", []string{"aws_iam_openid_connect_provider", "github"},
			attribute("url", str(r.Issuer)),
			attribute("client_id_list", list([]code{str(Audience)})))...)
}

// boundary is nil where there is none.
func (r Roles) boundary() (code, error) {
	if len(r.BoundaryPolicy) == 0 {
		return nil, nil
	}
	policy, err := encoded(r.BoundaryPolicy)
	if err != nil {
		return nil, fmt.Errorf("write the permissions boundary: %w", err)
	}
	return append(comment("What Terraform may never do with a role that takes it: change these roles, their provider or this boundary."),
		block("resource", []string{"aws_iam_policy", "boundary"},
			attribute("name", str(r.Boundary)),
			attribute("policy", policy))...), nil
}

func (r Roles) role(role Role) ([]code, error) {
	trust, err := encoded(r.trust(role.Subjects))
	if err != nil {
		return nil, err
	}
	body := []code{attribute("name", str(role.Name))}
	if role.Path != "/" {
		body = append(body, attribute("path", str(role.Path)))
	}
	body = append(body, attribute("description", str(role.Description)), attribute("max_session_duration", text(strconv.FormatInt(int64(role.Session/time.Second), 10))))
	if role.Bounded {
		body = append(body, attribute("permissions_boundary", text("aws_iam_policy.boundary.arn")))
	}
	parts := []code{block("resource", []string{"aws_iam_role", role.Label}, append(body, attribute("assume_role_policy", trust))...)}
	for _, p := range role.Policies {
		policy, err := encoded(p.Document)
		if err != nil {
			return nil, err
		}
		parts = append(parts, block("resource", []string{"aws_iam_role_policy", role.Label + "-" + p.Name},
			attribute("name", str(p.Name)),
			attribute("role", text("aws_iam_role."+role.Label+".id")),
			attribute("policy", policy)))
	}
	if role.Variable != "" {
		parts = append(parts, block("resource", []string{"aws_iam_role_policy_attachment", role.Label},
			attribute("for_each", text("var."+role.Variable)),
			attribute("role", text("aws_iam_role."+role.Label+".name")),
			attribute("policy_arn", text("each.value"))))
	}
	return parts, nil
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
