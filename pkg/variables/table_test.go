package variables_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/variables"
)

const sound = `project_name: shop
cloud_provider: aws
environments:
  staging:
    region: eu-west-1
    instance_type: t3.micro
    public: true
  production:
    region: us-west-2
    instance_type: t3.small
networking:
  vpc_cidr: 10.0.0.0/16
  availability_zones: 2
ports:
  - 80
  - 443
bucket: "{{ environment }}-files"
`

// slipTable are replacements in the sound file, each one slip of a person.
func slipTable() [][2]string {
	return [][2]string{
		{"project_name: shop", "project_name: shop,"},
		{"project_name: shop", "project_name: shop;"},
		{"project_name: shop", "project_name: \"shop\","},
		{"project_name: shop", "project_name: \"shop\";"},
		{"instance_type: t3.micro", "instance_type: t3.micro,"},
		{"instance_type: t3.micro", "instance_type: 't3.micro',"},
		{"public: true", "public: true,"},
		{"public: true", "public: true;"},
		{"availability_zones: 2", "availability_zones: 2,"},
		{"availability_zones: 2", "availability_zones: 2;"},
		{"vpc_cidr: 10.0.0.0/16", "vpc_cidr: 10.0.0.0/16,"},
		{"- 80", "- 80,"},
		{"- 80\n  - 443", "- 80,\n  - 443,"},
		{"environments:\n", "environments: {\n"},
		{"environments:\n", "environments:,\n"},
		{"staging:\n", "staging: ,\n"},
		{"  staging:\n", "  staging;\n"},
		{"\"{{ environment }}-files\"", "\"${environment}-files\""},
		{"\"{{ environment }}-files\"", "${environment}-files"},
		{"\"{{ environment }}-files\"", "\"${{ environment }}-files\""},
		{"\"{{ environment }}-files\"", "\"$(environment)-files\""},
		{"\"{{ environment }}-files\"", "\"{environment}-files\""},
		{"\"{{ environment }}-files\"", "{environment}-files"},
		{"\"{{ environment }}-files\"", "{environment}"},
		{"\"{{ environment }}-files\"", "{{ environment }}-files"},
		{"\"{{ environment }}-files\"", "{{ environment }}"},
		{"\"{{ environment }}-files\"", "{{environment}}/a {{ environment }}"},
		{"\"{{ environment }}-files\"", "\"<environment>-files\""},
		{"\"{{ environment }}-files\"", "\"$environment-files\""},
		{"\"{{ environment }}-files\"", "\"%environment%-files\""},
		{"\"{{ environment }}-files\"", "\"[[ environment ]]-files\""},
		{"\"{{ environment }}-files\"", "\"{{ var.environment }}-files\""},
		{"\"{{ environment }}-files\"", "\"{{ .environment }}-files\""},
		{"\"{{ environment }}-files\"", "\"{{ env }}-files\""},
		{"\"{{ environment }}-files\"", "\"{{ ENVIRONMENT }}-files\""},
		{"\"{{ environment }}-files\"", "\"${ENVIRONMENT}-files\""},
		{"\"{{ environment }}-files\"", "\"${env}-files\""},
		{"\"{{ environment }}-files\"", "\"${var.environment}-files\""},
		{"\"{{ environment }}-files\"", "\"{% environment %}-files\""},
		{"\"{{ environment }}-files\"", "\"#{environment}-files\""},
		{"\"{{ environment }}-files\"", "\"@{environment}-files\""},
		{"project_name: shop\n", "// the shop\nproject_name: shop\n"},
		{"project_name: shop\n", "project_name: shop // the shop\n"},
		{"project_name: shop\n", "project_name: \"shop\" // the shop\n"},
		{"availability_zones: 2", "availability_zones: 2 // two"},
		{"    public: true\n", "    // all\n    public: true\n"},
		{"    public: true\n", "    //public: true\n"},
		{"    public: true\n", "    // public: true\n"},
		{"project_name: shop\n", "/* the shop */\nproject_name: shop\n"},
		{"project_name: shop\n", "<!-- the shop -->\nproject_name: shop\n"},
		{"project_name: shop\n", "project_name: shop -- the shop\n"},
		{"project_name: shop\n", "-- the shop\nproject_name: shop\n"},
		{"project_name: shop\n", "; the shop\nproject_name: shop\n"},
		{"project_name: shop\n", "project_name: shop#the shop\n"},
		{"  production:\n", "production:\n"},
		{"  staging:\n", "staging:\n"},
		{"  staging:\n    region", "staging:\n      region"},
		{"  production:\n    region: us-west-2\n    instance_type: t3.small\n", "production:\n      region: us-west-2\n      instance_type: t3.small\n  test:\n    region: eu-west-1\n"},
		{"  staging:\n    region: eu-west-1\n    instance_type: t3.micro\n    public: true\n", "staging:\n      region: eu-west-1\n      instance_type: t3.micro\n      public: true\n"},
		{"ports:\n  - 80\n  - 443\n", "ports:\n  -80\n"},
		{"ports:\n  - 80\n  - 443\n", "ports: -80\n"},
		{"ports:\n  - 80\n  - 443\n", "ports: 80\n"},
		{"ports:\n  - 80\n  - 443\n", "ports:\n  -80\n  -443\n"},
		{"ports:\n  - 80\n  - 443\n", "ports:\n  - 80\n  -443\n"},
		{"ports:\n  - 80\n  - 443\n", "ports:\n  -80\n  - 443\n"},
		{"ports:\n  - 80\n  - 443\n", "ports: [80 443]\n"},
		{"ports:\n  - 80\n  - 443\n", "ports: [80; 443]\n"},
		{"ports:\n  - 80\n  - 443\n", "ports: (80, 443)\n"},
		{"ports:\n  - 80\n  - 443\n", "ports: 80, 443\n"},
		{"ports:\n  - 80\n  - 443\n", "ports: [80, 443],\n"},
		{"ports:\n  - 80\n  - 443\n", "ports: [80, 443];\n"},
		{"ports:\n  - 80\n  - 443\n", "ports: [\"80\", 443]\n"},
		{"ports:\n  - 80\n  - 443\n", "ports: [80, 443}\n"},
		{"ports:\n  - 80\n  - 443\n", "ports:\n  * 80\n  * 443\n"},
		{"ports:\n  - 80\n  - 443\n", "ports:\n  + 80\n  + 443\n"},
		{"ports:\n  - 80\n  - 443\n", "ports:\n  80\n  443\n"},
		{"ports:\n  - 80\n  - 443\n", "ports:\n  - 80\n   - 443\n"},
		{"ports:\n  - 80\n  - 443\n", "ports:\n  - 80\n - 443\n"},
		{"    region: eu-west-1\n", "\tregion: eu-west-1\n"},
		{"    region: eu-west-1\n", "    \tregion: eu-west-1\n"},
		{"public: true", "public: Yes"},
		{"public: true", "public: NO"},
		{"public: true", "public: on"},
		{"public: true", "public: \"true\""},
		{"public: true", "public: \"yes\""},
		{"public: true", "public: 1"},
		{"public: true", "public: y"},
		{"public: true", "public: enabled"},
		{"project_name: shop", "project_name: shop\nProject_Name: shop"},
		{"project_name: shop", "project_name: shop\nPROJECT_NAME: shop"},
		{"    public: true\n", "    public: true\n    Public: false\n"},
		{"  production:\n", "  Staging:\n"},
		{"  production:\n", "  staging :\n"},
		{"  production:\n", "  \"staging \":\n"},
		{"  production:\n", "  \"production \":\n"},
		{"  production:\n", "  \" production\":\n"},
		{"    public: true\n", "    \"public \": true\n"},
		{"    public: true\n", "    public\u200b: true\n"},
		{"    public: true\n", "    \"public\u200b\": true\n"},
		{"  production:\n", "  prod\u00adduction:\n"},
		{"  production:\n", "  pr\u043eduction:\n"},
		{"    region: us", "    regi\u043en: us"},
		{"  staging:\n", "  staging: &base\n"},
		{"  production:\n", "  production: *base\n"},
		{"  production:\n", "  production:\n    <<: *base\n"},
		{"  production:\n", "  production:\n    <<: {region: x}\n"},
		{"  production:\n", "  production\n"},
		{"  production:\n", "  production: {}\n"},
		{"  production:\n", "  production::\n"},
		{"  production:\n", "  - production:\n"},
		{"  production:\n", "  production: =>\n"},
		{"project_name: shop", "project_name => shop"},
		{"project_name: shop", "project_name -> shop"},
		{"project_name: shop", "\"project_name: shop\""},
		{"project_name: shop", "'project_name': 'shop"},
		{"project_name: shop", "\"project_name: shop"},
		{"project_name: shop", "{project_name: shop}"},
		{"project_name: shop", "- project_name: shop"},
		{"project_name: shop", "project_name shop"},
		{"project_name: shop", "projectname: shop"},
		{"project_name: shop", "project-name: shop"},
		{"project_name: shop", "Project_name: shop"},
		{"project_name: shop", " project_name: shop"},
		{"project_name: shop", "project_name: `shop`"},
		{"project_name: shop", "project_name: shop\\"},
		{"project_name: shop", "project_name: \"C:\\shop\""},
		{"project_name: shop", "project_name: shop: two"},
		{"project_name: shop", "project_name: null"},
		{"project_name: shop", "project_name: \"\""},
		{"project_name: shop", "project_name: |shop"},
		{"project_name: shop", "project_name: *shop"},
		{"project_name: shop", "project_name: &shop"},
		{"project_name: shop", "project_name: !shop"},
		{"project_name: shop", "project_name: @shop"},
		{"project_name: shop", "project_name: %shop"},
		{"project_name: shop", "project_name: ? shop"},
		{"environments:\n", "environment:\n"},
		{"environments:\n", "Environments:\n"},
		{"cloud_provider: aws", "cloud_provider: AWS"},
		{"cloud_provider: aws", "cloud_provider: amazon"},
		{"cloud_provider: aws", "cloud_provider: aws #the one"},
		{"cloud_provider: aws", "cloud_provider:"},
		{"cloud_provider: aws", "cloud_provider: [aws]"},
		{"availability_zones: 2", "availability_zones: two"},
		{"availability_zones: 2", "availability_zones: 02"},
		{"availability_zones: 2", "availability_zones: 2 zones"},
		{"availability_zones: 2", "availability_zones: 1_000"},
		{"availability_zones: 2", "availability_zones: 1,000"},
		{"availability_zones: 2", "availability_zones: -2"},
		{"availability_zones: 2", "availability_zones: 2,000,000.50"},
		{"availability_zones: 2", "availability_zones: 2,5"},
		{"ports:\n  - 80\n  - 443\n", "ports: 80,443\n"},
		{"ports:\n  - 80\n  - 443\n", "ports:\n  - 80 443\n"},
		{"ports:\n  - 80\n  - 443\n", "ports: [[80] [443]]\n"},
		{"ports:\n  - 80\n  - 443\n", "ports: [80, 443]]\n"},
		{"ports:\n  - 80\n  - 443\n", "ports: {80, 443]\n"},
		{"project_name: shop", "export project_name: shop"},
		{"project_name: shop", "+project_name: shop"},
		{"    public: true\n", "    -public: true\n"},
		{"project_name: shop", "project_name: shop\""},
		{"ports:\n  - 80\n  - 443\n", "ports: 80\n  - 443\n"},
		{"ports:\n  - 80\n  - 443\n", "ports: 80, 443]\n"},
		{"  production:\n", "  production: {\n"},
		{"    region: us-west-2\n", "    \"region: us-west-2\"\n"},
		{"    region: us-west-2\n", "     region: us-west-2\n"},
		{"    region: us-west-2\n", "    region: [us-west-2\n"},
		{"public: true", "tags: {a b, c: d}"},
		{"project_name: shop", "set project_name: shop"},
		{"    public: true\n", "    let public: true\n"},
		{"project_name: shop", "project_name: |\n    one\n  two"},
		{"availability_zones: 2", "availability_zones: - 2"},
		{"availability_zones: 2", "+   availability_zones: 2"},
		{"availability_zones: 2", "availability_zones: ٢"},
		{"availability_zones: 2", "availability_zones: 2…"},
		{"availability_zones: 2", "availability_zones: 2# two"},
		{"  availability_zones: 2", "  availability_zones\": 2"},
		{"  availability_zones: 2", "  net's: 2\n  zones': 2"},
		{"project_name: shop", "project_name: \"C:\\new\""},
		{"project_name: shop", "project_name: Shop."},
		{"vpc_cidr: 10.0.0.0/16", "vpc_cidr: 10.0.0.0/255.255.0.0"},
		{"vpc_cidr: 10.0.0.0/16", "vpc_cidr: 10.0.0.0/16\""},
		{"vpc_cidr: 10.0.0.0/16", "vpc_cidr: 8.8.0.0/16"},
		{"cloud_provider: aws", "cloud_provider: AWS"},
		{"networking:\n  vpc_cidr: 10.0.0.0/16\n", "networking.vpc_cidr: 10.0.0.0/16\nnetworking:\n"},
		{"  production:\n    region: us-west-2\n", "    production:\n      region: us-west-2\n  test:\n    region: us-west-2\n"},
	}
}

// TestSlipTable compares what each slip shows (place, cause, remedy) with the golden
// file; no slip passes in silence, and the sound file has no problem.
func TestSlipTable(t *testing.T) {
	t.Parallel()
	schema := testSchema(t)
	if _, problems := variables.Parse("v", []byte(sound), pipeline.Limits{}, schema); len(problems) > 0 {
		t.Fatalf("the sound file: %v", problems)
	}
	var out strings.Builder
	for _, c := range slipTable() {
		if !strings.Contains(sound, c[0]) {
			t.Fatalf("the sound file does not hold %q", c[0])
		}
		_, problems := variables.Parse("v", []byte(strings.Replace(sound, c[0], c[1], 1)), pipeline.Limits{}, schema)
		if len(problems) == 0 {
			t.Errorf("%q passes in silence", c[1])
		}
		fmt.Fprintf(&out, "%q for %q\n", c[1], c[0])
		for _, p := range problems {
			kind := ""
			if p.Warning {
				kind = "warning: "
			}
			fmt.Fprintf(&out, "  %s%s\n", kind, p)
		}
	}
	golden(t, "testdata/slip-table.golden", out.String())
}

// Spellings that are right in YAML stay free of advice.
func TestSoundSpellings(t *testing.T) {
	t.Parallel()
	schema := testSchema(t)
	for _, c := range [][2]string{
		{"project_name: shop", "project_name : shop"}, {"public: true", "public: True"}, {"region: eu-west-1", "region: eu-west-1\t"},
		{"region: eu-west-1", "region:\teu-west-1"}, {"ports:\n  - 80\n  - 443\n", "ports: [80, 443,]\n"}, {"ports:\n  - 80\n  - 443\n", "ports:\n- 80\n- 443\n"},
		{"t3.micro", "\"a, b;\""}, {"t3.micro", "https://h/a//b"}, {"t3.micro", "\"a // b\""}, {"t3.micro", "a-- b"}, {"t3.micro", "--flag"},
		{"t3.micro", "\"x{{ environment }}y\""}, {"t3.micro", "${name}"}, {"t3.micro", "environment"}, {"t3.micro", "\"%env\""},
		{"cloud_provider: aws\n", "cloud_provider: aws # one\r\n"}, {"project_name: shop\n", "\ufeffproject_name: shop\n"},
		{"project_name: shop", "naïve: 1\nproject_name: shop"}, {"project_name: shop", "название: 1\nproject_name: shop"},
	} {
		text := strings.Replace(sound, c[0], c[1], 1)
		if text == sound {
			t.Fatalf("the sound file does not hold %q", c[0])
		}
		if _, problems := variables.Parse("v", []byte(text), pipeline.Limits{}, schema); len(problems) > 0 {
			t.Errorf("%q: %v", c[1], problems)
		}
	}
}

// A sample in a remedy names an environment that the customer may declare, and passes.
func TestSampleIsForTheCustomer(t *testing.T) {
	t.Parallel()
	schema := testSchema(t)
	allowed := []pipeline.Environment{"qa", "live"}
	for _, text := range []string{"", "# nothing\n", "project_name: shop\n", "environments:\n", "environments: [qa]\n", "- a\n"} {
		for _, s := range []*variables.Schema{schema, nil} {
			_, problems := variables.ParseFor("v", []byte(text), pipeline.Limits{}, s, allowed)
			if len(problems) == 0 {
				t.Fatalf("%q has no problem", text)
			}
			_, sample, found := strings.Cut(problems[0].Remedy, "environments: {qa")
			if !found {
				t.Errorf("%q: the remedy has no sample for qa: %s", text, problems[0].Remedy)
				continue
			}
			if doc, wrong := variables.ParseFor("v", []byte("environments: {qa"+sample), pipeline.Limits{}, s, allowed); doc == nil {
				t.Errorf("%q: the sample is refused: %v", text, wrong)
			}
		}
	}
}
