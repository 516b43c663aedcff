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
	"github.com/metapipe/metapipe/pkg/engine/pulumi/pulumitest"
)

const (
	programResources = 50
	programPairs     = 6
)

// program compares the dry run of a stack of Pulumi with the preview typed by hand.
func (b *bench) program(t *testing.T) {
	tool, path := pulumitest.Tool(t)
	manager := filepath.Join(b.dir, "program")
	customer := filepath.Join(b.dir, "program-customer")
	var resources strings.Builder
	for i := range programResources {
		fmt.Fprintf(&resources, "  file%d:\n    type: metapipetest:index:File\n    properties: {path: %s/%d, content: \"${name}\"}\n", i, b.dir, i)
	}
	project := "name: web\nruntime: yaml\nconfig:\n  name: {type: string}\nresources:\n" + resources.String()
	for name, content := range map[string]string{
		"program/metapipe.yml":                 "environments: [{name: staging}]\nstacks: [{name: web, root: web, tool: pulumi}]\n",
		"program/web/Pulumi.yaml":              project,
		"by-hand/Pulumi.yaml":                  project,
		"program-customer/infra/variables.yml": "name: shop\nenvironments: {staging: {}}\n",
	} {
		file := filepath.Join(b.dir, filepath.FromSlash(name))
		fixture.Check(t, os.MkdirAll(filepath.Dir(file), 0o700))
		writeFile(t, file, content)
	}
	hand, backend := filepath.Join(b.dir, "by-hand"), filepath.Join(b.dir, "by-hand-backend")
	fixture.Check(t, os.MkdirAll(backend, 0o700))
	byHand, ours := *b, *b
	ours.env = append(slices.Clone(b.env), "PATH="+path)
	byHand.env = append(slices.Clone(ours.env), "PULUMI_HOME="+filepath.Join(b.dir, "pulumi-home"), "PULUMI_BACKEND_URL=file://"+backend, "PULUMI_CONFIG_PASSPHRASE=x", "PULUMI_SKIP_UPDATE_CHECK=true")
	byHand.run(t, hand, nil, tool, "stack", "init", "dev", "--non-interactive")
	byHand.run(t, hand, nil, tool, "config", "set", "name", "shop", "--non-interactive")
	ratio, own, other := versus(programPairs,
		func() time.Duration {
			return ours.run(t, b.dir, nil, b.metapipe, "plan", "--manager-dir", manager, "--customer-dir", customer, "--environment", "staging", "--stack", "web")
		},
		func() time.Duration {
			return byHand.run(t, hand, nil, tool, "preview", "--refresh", "--save-plan", filepath.Join(b.dir, "by-hand.json"), "--non-interactive")
		},
	)
	b.add(t, row{name: fmt.Sprintf("plan of %d resources / pulumi preview --refresh --save-plan by hand", programResources), measured: ratio, aim: 1.05, limit: 1.10, unit: "×"})
	b.add(t, row{name: "  metapipe plan", measured: milliseconds(own), unit: "ms"})
	b.add(t, row{name: "  by hand", measured: milliseconds(other), unit: "ms"})
}
