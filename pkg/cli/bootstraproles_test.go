package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
	"gopkg.in/yaml.v3"
)

// rolesOf runs bootstrap roles in a manager of these files.
func rolesOf(t *testing.T, files map[string]string, args ...string) (exit int, out, log string) {
	t.Helper()
	dir := managerTree(t)
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, filepath.FromSlash(name)), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var stdout, stderr bytes.Buffer
	app := App{Out: &stdout, Err: &stderr, Dir: dir, Environ: []string{"HOME=" + dir}}
	exit = Main(t.Context(), append([]string{"bootstrap", "roles"}, args...), app)
	return exit, stdout.String(), stderr.String()
}

// known are the flags with which GitHub is not asked.
var known = []string{"--repository", "octo-org/infra", "--branch", "main", "--subject", "repo:octo-org@12/infra@34"}

const rolesManager = `
state: {bucket: provider-states, region: eu-central-1}
environments: [{name: staging}, {name: live, gated: true}]
sealing_keys: [alias/plans]
`

// TestBootstrapRoles compares what is printed, and reads it as Terraform does.
func TestBootstrapRoles(t *testing.T) {
	t.Parallel()
	exit, out, log := rolesOf(t, map[string]string{
		"metapipe.yml":          rolesManager,
		"customers/blog.yml":    "repository: acme/blog\nrepository_id: 1\nrole: arn:aws:iam::123456789012:role/tenants/blog_{{ environment }}_{{ command }}\n",
		"customers/reports.yml": "repository: acme/reports\nrepository_id: 2\nenvironments: [staging]\nrole: arn:aws:iam::123456789012:role/reports\n",
	}, known...)
	if exit != 0 {
		t.Fatalf("exit code %d: %s", exit, log)
	}
	file := filepath.Join("testdata", "roles.tf")
	if *update {
		if err := os.WriteFile(file, []byte(out), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), out); diff != "" {
		t.Errorf("%s (run with -update when it is right):\n%s", file, diff)
	}
	if formatted := string(hclwrite.Format([]byte(out))); formatted != out {
		t.Errorf("it is not formatted:\n%s", cmp.Diff(formatted, out))
	}
	module := readRoles(t, out)
	module.policies(t)
	const prefix = "repo:octo-org@12/infra@34:"
	for name, subjects := range map[string][]string{
		"blog_staging_plan":  {"environment:staging-plan", "ref:refs/heads/main"},
		"blog_staging_apply": {"environment:staging-apply"},
		"blog_live_apply":    {"environment:live-apply"},
		"reports":            {"environment:staging-apply", "environment:staging-plan", "ref:refs/heads/main"},
	} {
		role := module.named(t, name)
		if got := module.subjects(t, role); !slices.Equal(got, prefixed(prefix, subjects)) {
			t.Errorf("%s trusts %q", name, got)
		}
		if !strings.Contains(string(role.source), "aws_iam_policy.boundary.arn") {
			t.Errorf("%s has no permissions boundary", name)
		}
	}
}

func prefixed(prefix string, list []string) (all []string) {
	for _, s := range list {
		all = append(all, prefix+s)
	}
	slices.Sort(all)
	return all
}

// TestRolesTrustTheirJobs reads from the workflows which job takes which role, and
// compares the subjects of its ID tokens with the trust policies: none is missing, and
// none is too many.
func TestRolesTrustTheirJobs(t *testing.T) {
	t.Parallel()
	exit, out, log := rolesOf(t, map[string]string{"metapipe.yml": rolesManager}, known...)
	if exit != 0 {
		t.Fatalf("exit code %d: %s", exit, log)
	}
	module := readRoles(t, out)
	jobs := map[string]map[string]bool{} // label of a role → subjects
	take := func(output, subject string) {
		label := module.outputs[output]
		if label == "" {
			t.Fatalf("no role for %s in %s", output, subject)
		}
		if jobs[label] == nil {
			jobs[label] = map[string]bool{}
		}
		jobs[label]["repo:octo-org@12/infra@34:"+subject] = true
	}
	for _, j := range assumingJobs(t) {
		if j.environment == "" {
			take(j.variable, "ref:refs/heads/main")
			continue
		}
		for _, env := range []string{"staging", "live"} {
			name, output := strings.ReplaceAll(j.environment, "${{ inputs.environment }}", env), j.variable
			if output == "AWS_ROLE_ARN" { // the environment has its own
				output += "-" + name
			}
			take(output, "environment:"+name)
		}
	}
	if len(jobs) != 10 {
		t.Errorf("the jobs take %d roles", len(jobs))
	}
	for label, role := range module.roles {
		if got, want := module.subjects(t, role), slices.Sorted(maps.Keys(jobs[label])); !slices.Equal(got, want) {
			t.Errorf("%s trusts\n%q, and is taken by\n%q", label, got, want)
		}
	}
}

type assumingJob struct{ environment, variable string }

var firstVariable = regexp.MustCompile(`^\$\{\{ vars\.([A-Z_]+)`)

// assumingJobs are the steps of the manager's workflows that take a role: with the
// variable that is set where all roles are there.
func assumingJobs(t *testing.T) (all []assumingJob) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", "workflows", "manager", "*.yml"))
	if err != nil || len(files) < 4 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var workflow struct {
			Jobs map[string]struct {
				Environment string
				Steps       []struct{ With map[string]string }
			}
		}
		if err := yaml.Unmarshal(raw, &workflow); err != nil {
			t.Fatal(file, err)
		}
		for _, job := range workflow.Jobs {
			for _, step := range job.Steps {
				if m := firstVariable.FindStringSubmatch(step.With["role-to-assume"]); m != nil {
					all = append(all, assumingJob{job.Environment, m[1]})
				}
			}
		}
	}
	return all
}

// rolesModule is the printed file as Terraform reads it.
type rolesModule struct {
	context *hcl.EvalContext
	roles   map[string]roleBlock // by label
	outputs map[string]string    // label of a role
	inline  []*hclsyntax.Block
}

type roleBlock struct {
	body   *hclsyntax.Body
	source []byte
}

func readRoles(t *testing.T, text string) rolesModule {
	t.Helper()
	file, diagnostics := hclsyntax.ParseConfig([]byte(text), "roles.tf", hcl.InitialPos)
	if diagnostics.HasErrors() {
		t.Fatal(diagnostics)
	}
	provider := cty.ObjectVal(map[string]cty.Value{"github": cty.ObjectVal(map[string]cty.Value{"arn": cty.StringVal("arn:of:provider")})})
	m := rolesModule{roles: map[string]roleBlock{}, outputs: map[string]string{}, context: &hcl.EvalContext{
		Variables: map[string]cty.Value{"aws_iam_openid_connect_provider": provider}, Functions: map[string]function.Function{"jsonencode": stdlib.JSONEncodeFunc}}}
	seen := map[string]bool{}
	for _, b := range file.Body.(*hclsyntax.Body).Blocks {
		address := b.Type + "." + strings.Join(b.Labels, ".")
		if seen[address] {
			t.Errorf("%s is there twice", address)
		}
		seen[address] = true
		switch {
		case b.Type == "output":
			m.outputs[b.Labels[0]] = b.Body.Attributes["value"].Expr.Variables()[0][1].(hcl.TraverseAttr).Name
		case b.Type == "resource" && b.Labels[0] == "aws_iam_role":
			m.roles[b.Labels[1]] = roleBlock{b.Body, []byte(text[b.Range().Start.Byte:b.Body.EndRange.End.Byte])}
		case b.Type == "resource" && (b.Labels[0] == "aws_iam_role_policy" || b.Labels[0] == "aws_iam_policy"):
			m.inline = append(m.inline, b)
		}
	}
	return m
}

func (m rolesModule) text(t *testing.T, body *hclsyntax.Body, attribute string) string {
	t.Helper()
	v, diagnostics := body.Attributes[attribute].Expr.Value(m.context)
	if diagnostics.HasErrors() {
		t.Fatal(diagnostics)
	}
	return v.AsString()
}

func (m rolesModule) named(t *testing.T, name string) roleBlock {
	t.Helper()
	for _, role := range m.roles {
		if m.text(t, role.body, "name") == name {
			return role
		}
	}
	t.Fatalf("no role is called %s", name)
	return roleBlock{}
}

// subjects reads the trust policy, which names the provider, the audience and nothing
// but exact subjects.
func (m rolesModule) subjects(t *testing.T, role roleBlock) []string {
	t.Helper()
	var trust struct {
		Version   string
		Statement []struct {
			Effect, Action string
			Principal      map[string]string
			Condition      map[string]map[string]json.RawMessage
		}
	}
	d := json.NewDecoder(strings.NewReader(m.text(t, role.body, "assume_role_policy")))
	d.DisallowUnknownFields()
	if err := d.Decode(&trust); err != nil || len(trust.Statement) != 1 {
		t.Fatal(err, trust)
	}
	s := trust.Statement[0]
	equals := s.Condition["StringEquals"]
	const claims = "token.actions.githubusercontent.com:"
	if s.Effect != "Allow" || s.Action != "sts:AssumeRoleWithWebIdentity" || s.Principal["Federated"] != "arn:of:provider" || len(s.Principal) != 1 ||
		len(s.Condition) != 1 || len(equals) != 2 || string(equals[claims+"aud"]) != `"sts.amazonaws.com"` {
		t.Errorf("trust policy %+v", s)
	}
	var subjects []string
	if err := json.Unmarshal(equals[claims+"sub"], &subjects); err != nil {
		t.Fatal(err)
	}
	slices.Sort(subjects)
	return subjects
}

// policies are documents of IAM with statements that say something.
func (m rolesModule) policies(t *testing.T) {
	t.Helper()
	for _, b := range m.inline {
		var policy struct{ Statement []map[string]any }
		if err := json.Unmarshal([]byte(m.text(t, b.Body, "policy")), &policy); err != nil || len(policy.Statement) < 2 {
			t.Errorf("%v: %v", b.Labels, err)
		}
		for _, s := range policy.Statement {
			if s["Effect"] == nil || s["Resource"] == nil || s["Action"] == nil && s["NotAction"] == nil {
				t.Errorf("%v: statement %v", b.Labels, s)
			}
		}
	}
	if len(m.inline) < 15 {
		t.Errorf("%d policies", len(m.inline))
	}
}

// TestBootstrapRolesRefuses: what IAM would refuse in the middle of an apply, and what
// is not known, is refused before anything is printed.
func TestBootstrapRolesRefuses(t *testing.T) {
	t.Parallel()
	var environments strings.Builder
	for i := range 18 {
		fmt.Fprintf(&environments, "{name: %s-%c}, ", strings.Repeat("long", 9), 'a'+i)
	}
	many := strings.Replace(rolesManager, "[{", "["+environments.String()+"{", 1)
	for name, c := range map[string]struct {
		files map[string]string
		args  []string
		want  string
	}{
		"no bucket":           {nil, known, "no state bucket is named"},
		"no region":           {map[string]string{"metapipe.yml": "state: {bucket: provider-states}\nenvironments: [{name: staging}, {name: live}]\n"}, known, "the region of the state bucket is not known"},
		"no repository":       {map[string]string{"metapipe.yml": rolesManager}, nil, "--repository OWNER/NAME"},
		"no token":            {map[string]string{"metapipe.yml": rolesManager}, known[:2], "with --branch and --subject nothing is asked"},
		"foreign subject":     {map[string]string{"metapipe.yml": rolesManager}, append(slices.Clone(known[:5]), "repo:other/infra"), "no subject of this repository"},
		"long name":           {map[string]string{"metapipe.yml": rolesManager}, append(slices.Clone(known), "--name-prefix", strings.Repeat("p", 60)), "characters, and AWS takes 64"},
		"one name twice":      {map[string]string{"metapipe.yml": rolesManager, "customers/blog.yml": "repository: acme/blog\nrepository_id: 1\nrole: arn:aws:iam::123456789012:role/x/Metapipe-Sweep\n"}, known, "two roles would be called"},
		"too many subjects":   {map[string]string{"metapipe.yml": many, "customers/blog.yml": "repository: acme/blog\nrepository_id: 1\nrole: arn:aws:iam::123456789012:role/all\n"}, append(slices.Clone(known[:5]), "repo:octo-org@123456789/infra@123456789"), "names 41 subjects"},
		"an account of none":  {map[string]string{"metapipe.yml": rolesManager}, append(slices.Clone(known), "--account", "123456789012"), "names no role in account 123456789012"},
		"issuer without tls":  {map[string]string{"metapipe.yml": rolesManager}, append(slices.Clone(known), "--issuer", "http://ghe.example.com/_services/token"), "AWS takes an https:// address"},
		"not the repository?": {map[string]string{"metapipe.yml": rolesManager}, append(slices.Clone(known), "--repository", "infra"), "write it as OWNER/NAME"},
	} {
		if exit, out, log := rolesOf(t, c.files, c.args...); exit != 2 || out != "" || !strings.Contains(log, c.want) {
			t.Errorf("%s: exit code %d, %q, %s", name, exit, out, log)
		}
	}
}

// TestBootstrapRolesElsewhere: servers of one's own, accounts of the targets, and names
// that IAM or Terraform would read as something else.
func TestBootstrapRolesElsewhere(t *testing.T) {
	t.Parallel()
	manager := map[string]string{"metapipe.yml": rolesManager,
		"customers/blog.yml": "repository: acme/blog\nrepository_id: 1\nrole: arn:aws:iam::111111111111:role/{{ environment }}_{{ command }}\n",
		"customers/shop.yml": "repository: acme/shop\nrepository_id: 3\nrole: arn:aws:iam::222222222222:role/shop@{{ command }}\n"}
	_, out, _ := rolesOf(t, manager, append(slices.Clone(known), "--issuer", "https://ghe.example.com/_services/token")...)
	for _, want := range []string{"--account 111111111111", "--account 222222222222", `"ghe.example.com/_services/token:sub"`, `url            = "https://ghe.example.com/_services/token"`} {
		if !strings.Contains(out, want) {
			t.Errorf("it lacks %s", want)
		}
	}
	_, out, _ = rolesOf(t, manager, append(slices.Clone(known), "--account", "222222222222", "--branch", "a${b}%{c}")...)
	module := readRoles(t, out)
	if len(module.roles) != 2 || len(module.outputs) != 0 {
		t.Errorf("%d roles, %d outputs", len(module.roles), len(module.outputs))
	}
	// IAM would read ${b} as one of its variables.
	if got := module.subjects(t, module.named(t, "shop@plan")); !slices.Contains(got, "repo:octo-org@12/infra@34:ref:refs/heads/a${$}{b}%{c}") {
		t.Errorf("%q", got)
	}
}
