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

// manifests compares the dry run of a stack of Kubernetes with the same commands typed by hand: what
// there is, and what a server-side apply would make of it. All begin as a job does, without a cache of
// what the server offers. Where manifests name their namespace, a plan also asks which kinds have one.
func (b *bench) manifests(t *testing.T) {
	c := kubernetestest.New(t)
	b.manifestsOf(t, c, "", fmt.Sprintf("plan of %d objects / kubectl get and apply --dry-run by hand", manifestObjects))
	b.manifestsOf(t, c, "named", fmt.Sprintf("plan of %d objects that name a namespace / kubectl get, api-resources and apply --dry-run by hand", manifestObjects))
}

func (b *bench) manifestsOf(t *testing.T, c *kubernetestest.Cluster, named, row1 string) {
	tool, namespace := kubernetestest.Tool(t, "kubectl"), c.Namespace(t, "bench"+named)
	dir := filepath.Join(b.dir, "manifests"+named)
	in := ""
	if named != "" {
		in = ", namespace: " + namespace
	}
	var objects strings.Builder
	for i := range manifestObjects {
		fmt.Fprintf(&objects, "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings-%d%s}\ndata: {name: \"{{ config.name }}\"}\n", i, in)
	}
	config, file := filepath.Join(dir, "kubeconfig"), filepath.Join(dir, "by-hand.yaml")
	for name, content := range map[string]string{
		"manager/metapipe.yml":           "environments: [{name: staging}]\nstacks: [{name: app, root: app, tool: kubernetes, kubernetes: {kubeconfig: BENCH_CLUSTER, namespace: " + namespace + "}}]\n",
		"manager/app/manifests/all.yaml": objects.String(),
		"by-hand.yaml":                   strings.ReplaceAll(objects.String(), "{{ config.name }}", "shop"),
		"customer/infra/variables.yml":   "name: shop\nenvironments: {staging: {}}\n",
		"kubeconfig":                     c.Kubeconfig(kubernetestest.AdminToken),
	} {
		file := filepath.Join(dir, filepath.FromSlash(name))
		fixture.Check(t, os.MkdirAll(filepath.Dir(file), 0o700))
		writeFile(t, file, content)
	}
	before, home := b.env, t.TempDir()
	defer func() { b.env = before }()
	b.env = append(slices.Clone(before), "BENCH_CLUSTER="+config, "KUBECONFIG="+config, "HOME="+home, "PATH="+filepath.Dir(tool))
	ratio, own, other := versus(manifestPairs,
		func() time.Duration {
			return b.run(t, b.dir, nil, b.metapipe, "plan", "--manager-dir", filepath.Join(dir, "manager"), "--customer-dir", filepath.Join(dir, "customer"), "--environment", "staging", "--stack", "app")
		},
		func() time.Duration {
			fixture.Check(t, os.RemoveAll(filepath.Join(home, ".kube")))
			sum := b.run(t, b.dir, nil, tool, "get", "-n", namespace, "-f", file, "-o", "json", "--ignore-not-found")
			if named != "" {
				sum += b.run(t, b.dir, nil, tool, "api-resources", "--no-headers")
			}
			return sum + b.run(t, b.dir, nil, tool, "apply", "-n", namespace, "-f", file, "--server-side", "--field-manager=metapipe", "--dry-run=server", "-o", "json")
		},
	)
	b.add(t, row{name: row1, measured: ratio, aim: 1.05, limit: 1.10, unit: "×"})
	b.add(t, row{name: "  metapipe plan", measured: milliseconds(own), unit: "ms"})
	b.add(t, row{name: "  by hand", measured: milliseconds(other), unit: "ms"})
}
