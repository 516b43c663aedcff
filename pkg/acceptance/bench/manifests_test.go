package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/engine/kubernetes/kubernetestest"
)

const (
	manifestObjects = 40
	manifestPairs   = 6
)

// manifests compares the dry run of a stack of Kubernetes with the same two commands typed by
// hand: what there is, and what a server-side apply would make of it. Both begin as a job does,
// without a cache of what the server offers.
func (b *bench) manifests(t *testing.T) {
	c := kubernetestest.New(t)
	tool, namespace := kubernetestest.Tool(t, "kubectl"), c.Namespace(t, "bench")
	manager, customer := filepath.Join(b.dir, "manifests"), filepath.Join(b.dir, "manifests-customer")
	var objects strings.Builder
	for i := range manifestObjects {
		fmt.Fprintf(&objects, "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings-%d}\ndata: {name: \"{{ config.name }}\"}\n", i)
	}
	config := filepath.Join(b.dir, "manifests.kubeconfig")
	for name, content := range map[string]string{
		"manifests/metapipe.yml":                 "environments: [{name: staging}]\nstacks: [{name: app, root: app, tool: kubernetes, kubernetes: {kubeconfig: BENCH_CLUSTER, namespace: " + namespace + "}}]\n",
		"manifests/app/manifests/all.yaml":       objects.String(),
		"manifests-by-hand.yaml":                 strings.ReplaceAll(objects.String(), "{{ config.name }}", "shop"),
		"manifests-customer/infra/variables.yml": "name: shop\nenvironments: {staging: {}}\n",
		"manifests.kubeconfig":                   c.Kubeconfig(kubernetestest.AdminToken),
	} {
		file := filepath.Join(b.dir, filepath.FromSlash(name))
		fixture.Check(t, os.MkdirAll(filepath.Dir(file), 0o700))
		writeFile(t, file, content)
	}
	file := filepath.Join(b.dir, "manifests-by-hand.yaml")
	before, home := b.env, t.TempDir()
	defer func() { b.env = before }()
	b.env = append(slices.Clone(before), "BENCH_CLUSTER="+config, "KUBECONFIG="+config, "HOME="+home, "PATH="+filepath.Dir(tool))
	ratio, own, other := versus(manifestPairs,
		func() time.Duration {
			return b.run(t, b.dir, nil, b.metapipe, "plan", "--manager-dir", manager, "--customer-dir", customer, "--environment", "staging", "--stack", "app")
		},
		func() time.Duration {
			fixture.Check(t, os.RemoveAll(filepath.Join(home, ".kube")))
			return b.run(t, b.dir, nil, tool, "get", "-n", namespace, "-f", file, "-o", "json", "--ignore-not-found") +
				b.run(t, b.dir, nil, tool, "apply", "-n", namespace, "-f", file, "--server-side", "--field-manager=metapipe", "--dry-run=server", "-o", "json")
		},
	)
	b.add(t, row{name: fmt.Sprintf("plan of %d objects / kubectl get and apply --dry-run by hand", manifestObjects), measured: ratio, aim: 1.05, limit: 1.10, unit: "×"})
	b.add(t, row{name: "  metapipe plan", measured: milliseconds(own), unit: "ms"})
	b.add(t, row{name: "  by hand", measured: milliseconds(other), unit: "ms"})
}
