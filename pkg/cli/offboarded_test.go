package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestOffboardedCheckout: validate and a dry run of the checkout of an offboarded customer say
// that its requests are rejected. They say nothing of it for another customer.
func TestOffboardedCheckout(t *testing.T) {
	t.Parallel()
	manager, customer := managerTree(t), t.TempDir()
	for file, text := range map[string]string{
		filepath.Join(manager, "customers", "shop.yml"):    "repository: acme/shop\nrepository_id: 3\noffboarded: true\n",
		filepath.Join(customer, "infra", "variables.yml"):  "environments:\n  staging: {}\n",
		filepath.Join(manager, "terraform", "versions.tf"): "terraform {}\n",
	} {
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for args, want := range map[string]string{
		"validate --customer-dir " + customer + " --customer ":                   "customer shop is offboarded (customers/shop.yml): its requests are rejected, and its environments can only be destroyed",
		"plan --environment staging --customer-dir " + customer + " --customer ": "customer shop is offboarded (customers/shop.yml): this plan is only shown, and its environments can only be destroyed",
	} {
		for _, name := range []string{"shop", "blog"} {
			t.Run(args+name, func(t *testing.T) {
				t.Parallel()
				var out, complaints bytes.Buffer
				app := testApp(&out, &complaints, "GITHUB_ACTIONS=false", "METAPIPE_TOOL=/nowhere")
				app.Dir, app.Now = manager, time.Now
				code := Main(t.Context(), strings.Fields(args+name), app)
				output := strings.Join(strings.Fields(out.String()+complaints.String()), " ")
				if strings.Contains(output, want) != (name == "shop") {
					t.Errorf("exit code %d\n%s", code, output)
				}
			})
		}
	}
}
