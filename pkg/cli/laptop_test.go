package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestRemediesOnALaptop: what a person reads there is no advice about workflows, and
// never that everything is fine because nothing was found.
func TestRemediesOnALaptop(t *testing.T) {
	t.Parallel()
	const key = "METAPIPE_KEY=MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
	manager, empty, customer := managerTree(t), t.TempDir(), t.TempDir()
	if err := os.MkdirAll(filepath.Join(customer, "infra"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(customer, "infra", "variables.yml"), []byte("environments: {staging: {}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		dir, args, environ string
		want, not          []string
	}{
		{manager, "drift", "", []string{"METAPIPE_KEY is not set", "set it to the manager's key"}, nil},
		{manager, "sweep", "", []string{"set it to the manager's key"}, nil},
		{manager, "sweep", key, []string{"export GITHUB_TOKEN=$(gh auth token)"}, []string{"env:"}},
		{manager, "ledger --customer blog --verify", "METAPIPE_STORE=" + empty, []string{"export SOURCE_REPOS_PAT=$(gh auth token)"}, []string{"env:"}},
		{manager, "state list --store nowhere", "", []string{"nowhere of --store does not exist"}, nil},
		{manager, "ledger", "METAPIPE_STORE=/no/such/place", []string{"/no/such/place of METAPIPE_STORE does not exist"}, nil},
		{manager, "rekey --store nowhere", key, []string{"nowhere of --store does not exist"}, []string{"can go"}},
		{manager, "rekey --json", key, []string{"no store is named", "TF_STATE_BUCKET"}, nil},
		{manager, "rekey --apply --store " + customer, key, []string{"the store has no sealed record"}, nil},
		{manager, "sweep --store nowhere", key + "\x00GITHUB_TOKEN=token-a\x00SOURCE_REPOS_PAT=token-b", []string{"nowhere of --store does not exist"}, nil},
		{manager, "sweep --fix", key + "\x00METAPIPE_STORE=/no/such/place\x00GITHUB_TOKEN=token-a\x00SOURCE_REPOS_PAT=token-b", []string{"/no/such/place of METAPIPE_STORE does not exist"}, nil},
		{manager, "drift --store nowhere", key, []string{"nowhere of --store does not exist"}, nil},
		{manager, "drift list --store nowhere", key, []string{"nowhere of --store does not exist"}, nil},
		{manager, "drift", key, []string{"no store is named"}, nil},
		{manager, "plan --state --store nowhere --environment staging --customer blog --customer-dir " + customer, "", []string{"nowhere of --store does not exist"}, nil},
		{manager, "report --customer blog --request 5c5be8d3-3f5d-4ee4-a4c4-4d0cd2a5ea36 --store " + customer, key + "\x00SOURCE_REPOS_PAT=token-b",
			[]string{"5c5be8d3-3f5d-4ee4-a4c4-4d0cd2a5ea36 of customer blog is not in the store", "use the store that fetch-vars used"}, nil},
		{manager, "drift --remediate", key, []string{"has no remote origin"}, nil},
		{manager, "drift --issues 5", key, []string{"has no remote origin"}, nil},
		{customer, "plan", key, []string{"is a customer's checkout", "plan --customer-dir . --manager-dir"}, []string{"METAPIPE_KEY"}},
		{customer, "state list", "", []string{"is a customer's checkout"}, nil},
		{empty, "drift", key, []string{"is no manager checkout"}, []string{"validate"}},
	} {
		t.Run(c.args, func(t *testing.T) {
			t.Parallel()
			var out, complaints bytes.Buffer
			app := testApp(&out, &complaints, append(strings.Split(c.environ, "\x00"), "GITHUB_ACTIONS=false")...)
			app.Dir, app.Now = c.dir, time.Now
			if code := Main(t.Context(), strings.Fields(c.args), app); code != ExitUsage {
				t.Errorf("exit code %d", code)
			}
			for _, want := range c.want {
				if !strings.Contains(complaints.String(), want) {
					t.Errorf("no %q in: %s", want, &complaints)
				}
			}
			for _, not := range c.not {
				if strings.Contains(complaints.String(), not) {
					t.Errorf("%q in: %s", not, &complaints)
				}
			}
		})
	}
}

// TestStatesStayOutOfGit: the default directory of states ignores itself.
func TestStatesStayOutOfGit(t *testing.T) {
	t.Parallel()
	dir := managerTree(t)
	if err := os.MkdirAll(filepath.Join(dir, ".metapipe", "state"), 0o700); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		var out, complaints bytes.Buffer
		app := testApp(&out, &complaints, "GITHUB_ACTIONS=false", "METAPIPE_KEY=MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")
		app.Dir, app.Now = dir, time.Now
		if code := Main(t.Context(), []string{"plan", "--customer", "blog", "--environment", "staging", "--request", "0b7f4a52-91ad-4f6e-9d43-6f8f3ad0a111"}, app); code != ExitUsage || !strings.Contains(complaints.String(), "not in the store") {
			t.Fatalf("exit code %d: %s", code, &complaints)
		}
	}
	if text, err := os.ReadFile(filepath.Join(dir, ".metapipe", ".gitignore")); err != nil || string(text) != "*\n" {
		t.Errorf("got %q, %v", text, err)
	}
}

// TestLedgerWithoutFlagsNamesTheCustomers: an empty list is explained.
func TestLedgerWithoutFlagsNamesTheCustomers(t *testing.T) {
	t.Parallel()
	var out, complaints bytes.Buffer
	app := testApp(&out, &complaints, "GITHUB_ACTIONS=false", "METAPIPE_STORE="+t.TempDir())
	app.Dir = managerTree(t)
	if code := Main(t.Context(), []string{"ledger"}, app); code != ExitDone || !strings.Contains(complaints.String(), "--customer NAME") || !strings.Contains(complaints.String(), "blog, reports, shop") || out.Len() > 0 {
		t.Errorf("code %d: %s%s", code, &out, &complaints)
	}
}
