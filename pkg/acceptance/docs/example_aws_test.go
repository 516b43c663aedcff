package docs

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-config-inspect/tfconfig"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
)

// awsExample copies examples/manager-aws and returns its directory.
func awsExample(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "manager-aws")
	fixture.Check(t, os.CopyFS(dir, os.DirFS(filepath.Join(fixture.Root(t), "examples", "manager-aws"))))
	return dir
}

// TestAWSExampleIsValid holds the format of the example, its configuration and
// that every variable of its root module is one that something feeds.
func TestAWSExampleIsValid(t *testing.T) {
	t.Parallel()
	dir := awsExample(t)
	// It fails where it would change something; what it prints may hold warnings too.
	fixture.RunIn(t, dir, "terraform", "fmt", "-check", "-diff", "-recursive", "-no-color")
	fixture.RunIn(t, dir, "metapipe", "validate")
	fixture.RunIn(t, dir, "metapipe", "validate", "--customer-dir", "onboarding", "--manager-dir", ".")

	module, diagnostics := tfconfig.LoadModule(filepath.Join(dir, "terraform"))
	if diagnostics.HasErrors() {
		t.Fatal(diagnostics)
	}
	raw := fixture.Must(os.ReadFile(filepath.Join(dir, "schema", "variables.schema.json")))(t)
	var schema struct{ Properties map[string]any }
	fixture.Check(t, json.Unmarshal(raw, &schema))
	environment := map[string]bool{"source_repo": true, "environment": true, "region": true} // metapipe's, and that of each environment
	for name := range module.Variables {
		if _, fed := schema.Properties[name]; !fed && !environment[name] {
			t.Errorf("variable %q of the root module is no key of variables.yml", name)
		}
	}
	for name := range schema.Properties {
		if _, declared := module.Variables[name]; !declared && name != "environments" {
			t.Errorf("key %q of variables.yml reaches no variable of the root module", name)
		}
	}
	for _, kind := range []string{"aws_vpc", "aws_subnet", "aws_internet_gateway", "aws_nat_gateway", "aws_route_table", "aws_route", "aws_route_table_association"} {
		found := false
		for _, r := range module.ManagedResources {
			found = found || r.Type == kind
		}
		if !found {
			t.Errorf("the network has no %s", kind)
		}
	}
	code := ""
	for _, file := range fixture.Must(filepath.Glob(filepath.Join(dir, "terraform", "*.tf")))(t) {
		code += string(fixture.Must(os.ReadFile(file))(t))
	}
	if strings.Contains(code, "timestamp(") || !strings.Contains(code, "default_tags") {
		t.Error("the default tags are missing, or change by themselves")
	}
	if !strings.Contains(code, `backend "s3"`) || strings.Contains(code, "dynamodb_table") {
		t.Error("the backend is not S3 with its own lock")
	}
}

// stubs take the place of what needs AWS: the real variables and the arithmetic
// of the example stay.
const stubs = `
locals { zone_names = ["z-a", "z-b", "z-c"] }
output "given" { value = {
  source_repo = var.source_repo, environment = var.environment, project = var.project_name,
  region = var.region, networking = var.networking, tags = local.tags
} }
output "computed" { value = { public = local.public_cidrs, private = local.private_cidrs, nat = local.nat_of } }
`

// TestAWSExampleTakesItsVariables plans what a customer starts with through the
// typed variables of the example.
func TestAWSExampleTakesItsVariables(t *testing.T) {
	t.Parallel()
	dir := awsExample(t)
	for _, file := range []string{"networking.tf", "outputs.tf", "providers.tf", "routes.tf", "versions.tf", "zones.tf"} {
		fixture.Check(t, os.Remove(filepath.Join(dir, "terraform", file)))
	}
	fixture.Check(t, os.WriteFile(filepath.Join(dir, "terraform", "stubs.tf"), []byte(stubs), 0o600))
	for env, want := range map[string][]string{
		"staging": {`"region":"eu-central-1"`, `"networking":{"availability_zones":2,"nat_gateways":"none","vpc_cidr":"10.10.0.0/16"}`, `"stage":"staging"`,
			`"public":{"z-a":"10.10.0.0/20","z-b":"10.10.16.0/20"}`, `"nat":{}`},
		"production": {`"region":"eu-west-1"`, `"networking":{"availability_zones":3,"nat_gateways":"per-zone","vpc_cidr":"10.20.0.0/16"}`, `"stage":"production"`,
			`"private":{"z-a":"10.20.128.0/20","z-b":"10.20.144.0/20","z-c":"10.20.160.0/20"}`, `"nat":{"z-a":"z-a","z-b":"z-b","z-c":"z-c"}`,
			`"source_repo":"example-customer/shop-platform"`, `"managed_by":"metapipe"`, `"cost-center":"4711"`},
	} {
		cmd := exec.CommandContext(t.Context(), "metapipe", "plan", "--customer-dir", "onboarding", "--customer", "example-customer", "--environment", env, "--json")
		cmd.Dir = dir
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s: %v\n%s", env, err, out)
		}
		planned := strings.ReplaceAll(string(out), `\`, "")
		for _, text := range want {
			if !strings.Contains(planned, text) {
				t.Errorf("the plan of %s lacks %s:\n%s", env, text, out)
			}
		}
	}
}

// TestAWSExampleWithItsProvider validates the example against the provider's own
// schema and runs its tests, with a mocked provider. METAPIPE_PROVIDERS names a
// mirror that holds hashicorp/aws; without it what needs the provider is left out.
func TestAWSExampleWithItsProvider(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(awsExample(t), "terraform")
	mirror := os.Getenv("METAPIPE_PROVIDERS")
	if mirror == "" {
		t.Log("METAPIPE_PROVIDERS names no mirror: the example is parsed, and not compared with the provider")
		fixture.RunIn(t, dir, "terraform", "get", "-no-color")
		return
	}
	fixture.RunIn(t, dir, "terraform", "init", "-backend=false", "-input=false", "-no-color", "-plugin-dir="+mirror)
	fixture.RunIn(t, dir, "terraform", "validate", "-no-color")
	if out := fixture.RunIn(t, dir, "terraform", "test", "-no-color"); !strings.Contains(out, " passed, 0 failed.") {
		t.Errorf("the tests of the example did not run:\n%s", out)
	}
}
