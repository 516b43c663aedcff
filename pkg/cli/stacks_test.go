package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// stackedTree is a manager with two stacks; the customer blog has one of them.
func stackedTree(t *testing.T) string {
	t.Helper()
	dir := managerTree(t)
	for name, text := range map[string]string{
		"metapipe.yml":       "environments: [{name: staging}, {name: live, gated: true}]\nstacks: [{name: network, root: network}, {name: hosts, root: hosts}]\n",
		"customers/blog.yml": "repository: acme/blog\nrepository_id: 1\nstacks: [network]\n",
		"network/main.tf":    "",
		"hosts/main.tf":      "",
	} {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestStackFlag: each command that is about one target needs --stack where stacks have names,
// and refuses one where they have none, or one that the customer does not have.
func TestStackFlag(t *testing.T) {
	t.Parallel()
	const request = " --request 11111111-2222-4333-8444-555555555555"
	commands := []string{"plan" + request, "apply" + request, "state show", "state recover" + request, "state restore", "state accept --reason x", "unlock --lock-id 1", "plan --customer-dir ."}
	stacked, plain, store := stackedTree(t), managerTree(t), t.TempDir()
	for _, command := range commands {
		for _, c := range []struct{ dir, flags, want string }{
			{stacked, "", "--stack is missing"},
			{stacked, "", "one of network, hosts"},
			{stacked, " --stack netwerk", `did you mean "network"?`},
			{stacked, " --stack Hosts_1", "has no stack"},
			{stacked, " --stack ../x", "has no stack"},
			{plain, " --stack network", "metapipe.yml names no stacks"},
			{plain, " --stack network", "leave --stack out"},
		} {
			var out, complaints bytes.Buffer
			app := testApp(&out, &complaints, "GITHUB_ACTIONS=false", "METAPIPE_STORE="+store, "METAPIPE_KEY=MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", "SOURCE_REPOS_PAT=not-a-secret", "GITHUB_TOKEN=not-a-token")
			app.Dir = c.dir
			code := Main(t.Context(), strings.Fields(command+" --customer shop --environment staging"+c.flags), app)
			if code != ExitUsage || !strings.Contains(complaints.String(), c.want) {
				t.Errorf("%s%s: exit code %d, no %q:\n%s%s", command, c.flags, code, c.want, &out, &complaints)
			}
		}
	}
}

// TestOnlyStack: --stack can be left out for the only stack of a customer, unless the store still
// has a target of the time before stacks: that one is meant, as before.
func TestOnlyStack(t *testing.T) {
	t.Parallel()
	store, dir := t.TempDir(), stackedTree(t)
	for part, serial := range map[string]string{"staging.network": "3", "live": "5", "live.network": "7"} {
		place := filepath.Join(store, "blog", part)
		if err := os.MkdirAll(place, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(place, "terraform.tfstate"), []byte(`{"version":4,"serial":`+serial+`,"lineage":"x"}`), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const request = " --request 11111111-2222-4333-8444-555555555555"
	for args, want := range map[string]string{
		"state show --environment staging":                 "serial   3",
		"state show --environment staging --stack network": "serial   3",
		"state show --environment live":                    "serial   5",
		"state show --environment live --stack network":    "serial   7",
		"plan --environment staging" + request:             "of customer blog is not in the store",
		"apply --environment staging" + request:            "of customer blog is not in the store",
	} {
		var out, complaints bytes.Buffer
		app := testApp(&out, &complaints, "GITHUB_ACTIONS=false", "METAPIPE_STORE="+store, "METAPIPE_KEY=MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", "SOURCE_REPOS_PAT=not-a-secret", "GITHUB_TOKEN=not-a-token")
		app.Dir = dir
		Main(t.Context(), strings.Fields(args+" --customer blog"), app)
		if all := out.String() + complaints.String(); !strings.Contains(all, want) || strings.Contains(all, "--stack is missing") {
			t.Errorf("%s: no %q:\n%s", args, want, all)
		}
	}
}

// TestStackOfCustomer: a stack of metapipe.yml that the customer's file leaves out is no
// target of the customer.
func TestStackOfCustomer(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"state show --customer blog --environment staging --stack hosts": `customer blog has no stack "hosts"`,
		"ledger --customer shop --stack hosts":                           "--stack needs --environment",
		"ledger --stack hosts":                                           "need --customer",
		"state list --stack hostz":                                       "stack \"hostz\" does not exist",
		"state list --stack Hosts":                                       "use 1–40 lower-case letters",
		"report --customer shop --request 11111111-2222-4333-8444-555555555555 --stack network":    "--stack needs --applying",
		"report --customer shop --request 11111111-2222-4333-8444-555555555555 --applying staging": "--stack is missing",
		"status --stack hostz":                     `stack "hostz" does not exist`,
		"drift --stack hostz":                      `stack "hostz" does not exist`,
		"fetch-vars --customer shop --stack hostz": "does not exist in metapipe.yml",
		"fetch-vars --customer shop --environment staging --mode destroy --confirm shop/staging --stack hosts": "shop/staging/hosts is not confirmed",
	} {
		var out, complaints bytes.Buffer
		app := testApp(&out, &complaints, "GITHUB_ACTIONS=false", "METAPIPE_STORE="+t.TempDir(), "METAPIPE_KEY=MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", "SOURCE_REPOS_PAT=not-a-secret", "GITHUB_TOKEN=not-a-token")
		app.Dir = stackedTree(t)
		if code := Main(t.Context(), strings.Fields(args), app); code != ExitUsage || !strings.Contains(complaints.String(), want) {
			t.Errorf("%s: exit code %d, no %q:\n%s%s", args, code, want, &out, &complaints)
		}
	}
}

// TestStacksInLists: state list shows each stack, and what was left without one; the flags
// choose among them, and the ledger has all stacks of an environment.
func TestStacksInLists(t *testing.T) {
	t.Parallel()
	store := t.TempDir()
	for _, part := range []string{"staging", "staging.network", "live.hosts", "old.hosts"} {
		dir := filepath.Join(store, "shop", part)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "terraform.tfstate"), []byte(`{"version":4,"serial":3,"lineage":"x"}`), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for args, want := range map[string]string{
		"state list --customer shop":                                   "staging/network staging/hosts live/network live/hosts old/hosts staging",
		"state list --customer shop --environment staging":             "staging/network staging/hosts staging",
		"state list --customer shop --stack hosts":                     "staging/hosts live/hosts old/hosts",
		"state list --customer shop --environment live --stack hosts":  "live/hosts",
		"state list --customer blog":                                   "staging/network live/network",
		"state show --customer shop --environment staging":             "", // the store still has it
		"status --customer shop --stack hosts":                         "staging/hosts live/hosts",
		"ledger --customer shop --environment staging":                 "staging/network staging/hosts staging",
		"ledger --customer shop --environment staging --stack network": "staging/network",
		"state show --customer shop --environment old --stack hosts":   "",
	} {
		var out, complaints bytes.Buffer
		app := testApp(&out, &complaints, "GITHUB_ACTIONS=false", "METAPIPE_STORE="+store)
		app.Dir = stackedTree(t)
		code := Main(t.Context(), strings.Fields(args), app)
		var got []string
		for line := range strings.Lines(out.String()) {
			name, rest := strings.Fields(line + " .")[0], ""
			if customer, after, ok := strings.Cut(strings.TrimSuffix(name, ":"), "/"); ok && (customer == "shop" || customer == "blog") {
				rest = after
			}
			if rest != "" {
				got = append(got, rest)
			}
		}
		if code != ExitDone || want != "" && strings.Join(got, " ") != want {
			t.Errorf("%s: exit code %d, %v, want %s\n%s%s", args, code, got, want, &out, &complaints)
		}
	}
}

// TestRolesOfStacks: the roles of stacks are cut to their stack, and those of the jobs of an
// environment to all of its stacks.
func TestRolesOfStacks(t *testing.T) {
	t.Parallel()
	exit, out, log := rolesOf(t, map[string]string{
		"metapipe.yml":       strings.Replace(rolesManager, "environments:", "stacks: [{name: network, root: terraform}, {name: hosts, root: .}]\nenvironments:", 1),
		"main.tf":            "",
		"customers/shop.yml": "repository: acme/shop\nrepository_id: 3\nrole: arn:aws:iam::123456789012:role/shop_{{ environment }}_{{ stack }}-{{ command }}\n",
		"customers/blog.yml": "repository: acme/blog\nrepository_id: 1\nstacks: [network]\nrole: arn:aws:iam::123456789012:role/blog_{{ environment }}_{{ command }}\n",
	}, known...)
	if exit != 0 {
		t.Fatalf("exit code %d: %s", exit, log)
	}
	for _, text := range []string{"shop_staging_network-plan", "shop_live_hosts-apply", "provider-states/shop/staging.network/", "provider-states/shop/live.hosts/", "provider-states/blog/staging.network/",
		"provider-states/*/staging.*/", "metapipe for shop in staging, network"} {
		if !strings.Contains(out, text) {
			t.Errorf("no %q in:\n%s", text, out)
		}
	}
	for _, text := range []string{"provider-states/shop/staging/", "provider-states/shop/staging.*", "blog_staging.hosts"} {
		if strings.Contains(out, text) {
			t.Errorf("%q in:\n%s", text, out)
		}
	}
}
