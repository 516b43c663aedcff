package pipeline_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// hostileNames are names that fit together in more than one way, and words that
// metapipe itself puts beside names.
var hostileNames = []string{"a", "b", "a-b", "b-c", "a-b-c", "c", "ab", "bc", "abc", "plan", "apply", "a-plan", "plan-a", "x", "xa", "ax", "a-x", "x-a", "1", "1-1", "11",
	"applied", "kept", "queue", "plans", "keys", "terraform", "eu-prod", "acme-eu", "acme", "prod"}

// TestTemplatesKeepTargetsApart makes templates at random: one that is accepted and
// names customer and environment gives no two targets one text, whatever they are
// called and also where letters count in either case.
func TestTemplatesKeepTargetsApart(t *testing.T) {
	t.Parallel()
	placeholders := []string{pipeline.PlaceholderCustomer, pipeline.PlaceholderEnvironment, pipeline.PlaceholderCommand}
	pieces := append([]string{"", "-", "/", "_", ".", "@", "a", "X", "x-", "-plan-", "/-", "-/", "=", "..", "/../", "#", "A-b", "//", ":", "+"}, placeholders...)
	pieces = append(pieces, placeholders...)
	accepted, refused := 0, 0
	for seed := range uint64(8_000) {
		r := rand.New(rand.NewPCG(seed, 7))
		var b strings.Builder
		for range 1 + r.IntN(7) {
			b.WriteString(pieces[r.IntN(len(pieces))])
		}
		template := pipeline.Template(b.String())
		if !template.Holds(placeholders[0]) || !template.Holds(placeholders[1]) {
			continue
		}
		if template.Check(placeholders...) != nil {
			refused++
			continue
		}
		accepted++
		if one, two := collision(template); one != "" {
			t.Fatalf("%q gives %s and %s one text", template, one, two)
		}
	}
	if accepted < 100 || refused < 200 {
		t.Errorf("%d templates were accepted and %d refused: the pieces prove little", accepted, refused)
	}
}

// collision returns two targets that get one text.
func collision(template pipeline.Template) (one, two string) {
	seen := map[string]string{}
	for _, c := range hostileNames {
		for _, env := range hostileNames {
			for _, work := range []pipeline.Work{pipeline.WorkPlan, pipeline.WorkApply} {
				text := strings.ToLower(template.Fill(pipeline.Target{Customer: pipeline.CustomerName(c), Environment: pipeline.Environment(env)}, work))
				target := c + " in " + env
				if other, taken := seen[text]; taken && other != target {
					return other, target
				}
				seen[text] = target
			}
		}
	}
	return "", ""
}

// TestNamesOfTargets: what metapipe itself makes of names is of one target alone.
func TestNamesOfTargets(t *testing.T) {
	t.Parallel()
	manager := pipeline.Slug{Owner: "o", Name: "m"}
	s3 := pipeline.State{Bucket: pipeline.Bucket{Name: "b", Prefix: "a/b"}}
	local := pipeline.State{}
	for name, of := range map[string]func(c, env string) string{
		"status": func(c, env string) string {
			return request(c).StatusContext(request(c).Customer.In(pipeline.Environment(env)))
		},
		"deployment": func(c, env string) string {
			return request(c).DeploymentEnvironment(request(c).Customer.In(pipeline.Environment(env)))
		},
		"state key": func(c, env string) string {
			return pipeline.StateKey(pipeline.Target{Customer: pipeline.CustomerName(c), Environment: pipeline.Environment(env)})
		},
		"marker": func(c, env string) string { return pipeline.Marker(manager, pipeline.CustomerName(c), "drift:"+env) },
		"bucket": func(c, env string) string {
			return fmt.Sprint(s3.Target(pipeline.Target{Customer: pipeline.CustomerName(c), Environment: pipeline.Environment(env)}, ""))
		},
		"local state": func(c, env string) string {
			return local.Target(pipeline.Target{Customer: pipeline.CustomerName(c), Environment: pipeline.Environment(env)}, "/d").Path()
		},
	} {
		seen := map[string]string{}
		for _, c := range hostileNames {
			for _, env := range hostileNames {
				text := strings.ToLower(of(c, env))
				if other, taken := seen[text]; taken {
					t.Errorf("%s: %s is of %s and of %s in %s", name, text, other, c, env)
				}
				seen[text] = c + " in " + env
			}
		}
	}
}

func request(customer string) pipeline.Request {
	return pipeline.Request{Customer: pipeline.CustomerName(customer), SharedRepository: true}
}

func TestTemplateCheck(t *testing.T) {
	t.Parallel()
	all := []string{pipeline.PlaceholderCustomer, pipeline.PlaceholderEnvironment, pipeline.PlaceholderCommand}
	for template, want := range map[pipeline.Template]string{
		"{{ customer }}-{{ customer }}":                         "",
		"plain":                                                 "",
		"#1/../plain":                                           "",
		"{{ customer }}/{{ environment }}":                      "",
		"{{ customer }}-{{ command }}":                          "",
		"{{ command }}-{{ customer }}_{{ environment }}":        "",
		"{{ environment }}--{{ customer }}":                     `by "--"`,
		"{{ environment }}{{ customer }}":                       `by ""`,
		"{{ customer }}Q{{ environment }}":                      `by "Q"`,
		"{{ customer }}-{{ command }}-{{ environment }}":        `by "-plan-"`,
		"{{ customer }}/../{{ environment }}":                   `the part ".."`,
		"x/{{ customer }}/.":                                    `the part "."`,
		"x#{{ customer }}":                                      "drop what follows a #",
		`x\{{ customer }}`:                                      "take a",
		"{{ customer }}%2D{{ environment }}":                    "decode what follows",
		"{{ customer }}/%2e%2e/{{ environment }}":               "decode what follows",
		"{{ customer }}\u200b{{ environment }}":                 "visible characters",
		"{{ customer }}\n{{ environment }}":                     "visible characters",
		"a\tb":                                                  "visible characters",
		"plain\x00":                                             "visible characters",
		"pla\u200bin":                                           "visible characters",
		"pl\u202eain":                                           "visible characters",
		"pl\xffain":                                             "visible characters",
		"https://h?c={{ customer }}&c={{ environment }}":        `two parameters "c"`,
		"https://h?c={{ customer }};C={{ environment }}":        `two parameters "c"`,
		"https://h?c={{ customer }}&c=x/{{ environment }}":      `two parameters "c"`,
		"https://h?c={{ customer }}/{{ environment }}&c=x":      `two parameters "c"`,
		"https://h?c={{ customer }}?c={{ environment }}":        `two parameters "c"`,
		"https://h?{{ customer }}=a&{{ environment }}=b":        "order of parameters",
		"https://h?{{ customer }}&{{ environment }}":            "order of parameters",
		"host=h dbname={{ customer }} dbname={{ environment }}": `two parameters "dbname"`,
		"https://h?c={{ customer }}&e={{ environment }}":        "",
		"https://h?{{ customer }}/{{ environment }}":            "",
		"host=h dbname={{ customer }}_{{ environment }}":        "",
		"{{customer}}":                                          "another placeholder",
		"{{ Customer }}":                                        "another placeholder",
		"{{ customer }}}}":                                      "another placeholder",
	} {
		err := template.Check(all...)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: got %v, want %q", template, err, want)
		}
	}
	if err := pipeline.Template("{{ customer }}/{{ command }}").Check(all[:2]...); err == nil {
		t.Error("a command is accepted where there is none")
	}
}
