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
	"github.com/metapipe/metapipe/pkg/engine/cloudformation/cfntest"
)

const (
	changeSetResources = 20
	changeSetPairs     = 4
	// answerTime is how long the double takes for each answer, about as long as AWS.
	answerTime = 50 * time.Millisecond
)

// changeSet compares the dry run of a stack of CloudFormation with the commands of AWS typed by hand.
func (b *bench) changeSet(t *testing.T) {
	const aws = "/usr/bin/aws"
	if _, err := os.Stat(aws); err != nil {
		t.Fatalf("there is no aws to compare with: %v", err)
	}
	cloud := cfntest.New(t)
	cloud.PageSize, cloud.Eager, cloud.Latency = 100, true, answerTime
	manager, customer := filepath.Join(b.dir, "changeset"), filepath.Join(b.dir, "changeset-customer")
	template := "Parameters: {Name: {Type: String}}\nResources:\n"
	for i := range changeSetResources {
		template += fmt.Sprintf("  Topic%d: {Type: AWS::SNS::Topic, Properties: {DisplayName: !Sub \"${Name} %d\"}}\n", i, i)
	}
	for name, content := range map[string]string{
		"changeset/metapipe.yml":                 "environments: [{name: staging}]\nstacks: [{name: topics, root: topics, tool: cloudformation}]\n",
		"changeset/topics/template.yml":          template,
		"changeset-customer/infra/variables.yml": "name: shop\nenvironments: {staging: {}}\n",
	} {
		file := filepath.Join(b.dir, filepath.FromSlash(name))
		fixture.Check(t, os.MkdirAll(filepath.Dir(file), 0o700))
		writeFile(t, file, content)
	}
	defer func(env []string) { b.env = env }(b.env)
	b.env = append(slices.Clone(b.env), cloud.Environ()...)
	hand := func(args ...string) time.Duration {
		return b.run(t, b.dir, nil, aws, append([]string{"--endpoint-url", cloud.URL, "--no-cli-pager", "cloudformation"}, args...)...)
	}
	n := 0
	ratio, own, other := versus(changeSetPairs,
		func() time.Duration {
			return b.run(t, b.dir, nil, b.metapipe, "plan", "--manager-dir", manager, "--customer-dir", customer, "--environment", "staging", "--stack", "topics")
		},
		func() time.Duration {
			n++
			stack, set := []string{"--stack-name", fmt.Sprintf("by-hand-%d", n)}, []string{"--change-set-name", "plan"}
			with := func(command string, more ...string) []string {
				return append(append(append([]string{}, strings.Fields(command)...), append(stack, set...)...), more...)
			}
			return hand(with("create-change-set", "--change-set-type", "CREATE", "--template-body", "file://"+filepath.Join(manager, "topics", "template.yml"), "--parameters", "ParameterKey=Name,ParameterValue=shop")...) +
				hand(with("wait change-set-create-complete")...) + hand(with("describe-change-set")...) + hand(with("delete-change-set")...) + hand(append([]string{"delete-stack"}, stack...)...)
		},
	)
	b.add(t, row{name: fmt.Sprintf("plan of %d resources / change set with the client of AWS", changeSetResources), measured: ratio, aim: 0.50, limit: 1.10, unit: "×"})
	b.add(t, row{name: "  metapipe plan", measured: milliseconds(own), unit: "ms"})
	b.add(t, row{name: "  by hand", measured: milliseconds(other), unit: "ms"})
}
