package cli

import (
	"bytes"
	"strings"
	"testing"
)

// TestArgumentsBeforeTheStore: what a command can refuse by its arguments and the checkout
// alone, it refuses before it looks for the store, which may be far away or not there.
func TestArgumentsBeforeTheStore(t *testing.T) {
	t.Parallel()
	const key = "METAPIPE_KEY=MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
	const target = " --customer blog --environment staging"
	for args, want := range map[string]string{
		"state accept --customer blog --environment staging":              "no reason is given",
		"state accept --customer nope --environment staging --reason x":   `customer "nope" does not exist`,
		"state accept --customer blog --environment qa --reason x":        `environment "qa" does not exist`,
		"state accept --customer reports --environment live --reason x":   "may not use the environment",
		"state accept --customer blog --reason x":                         "--environment is missing",
		"state restore --customer nope --environment staging":             `customer "nope" does not exist`,
		"state restore --customer blog --environment qa":                  `environment "qa" does not exist`,
		"state show --customer nope --environment staging":                `customer "nope" does not exist`,
		"state show --customer blog --environment Staging":                `environment "Staging" does not exist`,
		"state list --environment qa":                                     `environment "qa" does not exist`,
		"state list --customer ../blog":                                   "--customer",
		"unlock --customer nope --environment staging --lock-id x":        `customer "nope" does not exist`,
		"unlock --customer blog --environment qa --lock-id x":             `environment "qa" does not exist`,
		"ledger --environment staging":                                    "need --customer",
		"ledger --customer nope":                                          `customer "nope" does not exist`,
		"ledger --customer blog --environment qa":                         `environment "qa" does not exist`,
		"plan" + target + " --request x":                                  "pass the whole id",
		"plan" + target:                                                   "--request is missing",
		"apply" + target + " --request x":                                 "pass the whole id",
		"state recover" + target + " --request x":                         "pass the whole id",
		"report --customer nope --request 11111111":                       `customer "nope" does not exist`,
		"report --customer blog --request x":                              "pass the whole id",
		"report --customer blog --request 11111111 --applying A":          "--applying",
		"fetch-vars --customer nope":                                      `customer "nope" does not exist`,
		"fetch-vars --customer blog --environment qa":                     `environment "qa" does not exist`,
		"fetch-vars --customer blog --mode destroy --environment staging": "--confirm",
		"drift --customer nope":                                           `customer "nope" does not exist`,
		"properties set --customer nope team=x --apply":                   `customer "nope" does not exist`,
		"properties set --customer blog team --apply":                     "is not NAME=VALUE",
		"properties set --customer blog --all team=x --apply":             "or all of them with --all",
		"properties set --customer blog --apply":                          "nothing is to be set",
		"customer rename shop shop":                                       "are both shop",
		"customer rename Shop blog":                                       "the old name",
	} {
		t.Run(args, func(t *testing.T) {
			t.Parallel()
			var out, complaints bytes.Buffer
			app := testApp(&out, &complaints, "GITHUB_ACTIONS=false", key, "METAPIPE_STORE=/proc/no/such/store")
			app.Dir = managerTree(t)
			if code := Main(t.Context(), strings.Fields(args), app); code != ExitUsage {
				t.Errorf("exit code %d", code)
			}
			if got := complaints.String(); !strings.Contains(got, want) || strings.Contains(got, "/proc/no/such") {
				t.Errorf("want %q in: %s", want, got)
			}
		})
	}
}

// TestOperator: the ledger names a user of a laptop, marked as unverified; in Actions it
// names who started this attempt, whatever user the runner has.
func TestOperator(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		environ []string
		want    string
	}{
		"laptop":             {[]string{"GITHUB_ACTIONS=false", "GITHUB_ACTOR=somebody", "GITHUB_TRIGGERING_ACTOR=somebody"}, "@" + hostname() + " (unverified)"},
		"run":                {nil, "robin"},
		"run that ran again": {[]string{"GITHUB_TRIGGERING_ACTOR=casey"}, "casey"},
	} {
		var out, complaints bytes.Buffer
		app := testApp(&out, &complaints, c.environ...)
		s, err := app.newStep()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got := s.operator()
		if s.context.InActions && got != c.want || !strings.HasSuffix(got, c.want) || strings.Contains(got, "somebody") || strings.HasPrefix(got, "@") {
			t.Errorf("%s: %q", name, got)
		}
	}
}
