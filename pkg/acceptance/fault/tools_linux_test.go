package fault

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/engine/ansible/ansibletest"
	"github.com/metapipe/metapipe/pkg/engine/cloudformation/cfntest"
	"github.com/metapipe/metapipe/pkg/engine/kubernetes/kubernetestest"
	"github.com/metapipe/metapipe/pkg/engine/pulumi/pulumitest"
	"github.com/metapipe/metapipe/pkg/store/miniotest"
)

// toolCase is a stack of a tool other than Terraform. What it builds holds the name of
// variables.yml and the environment, such as "first in staging".
type toolCase struct {
	stack string
	files map[string]string // of the manager
	built func() string     // what is there behind metapipe's back; empty for nothing
	// locks is a part of the keys of locks in the store; empty: the tool locks nothing there.
	locks   string
	environ []string
	push    *fixture.PushCase
}

// State is what the tool has built, as JSON.
func (c toolCase) State(string) string {
	if built := c.built(); built != "" {
		b, _ := json.Marshal(built)
		return string(b)
	}
	return ""
}

// Locked reports a lock in the store.
func (c toolCase) Locked(string) bool {
	return c.locks != "" && slices.ContainsFunc(c.push.Keys(), func(key string) bool { return strings.Contains(key, c.locks) })
}

// servers are what the cases of a tool share.
type servers struct {
	store   *miniotest.Server
	cluster func() *kubernetestest.Cluster // starts it at the first call
}

// toolCases makes a stack for one test. The test is skipped where the tool is missing.
var toolCases = map[string]func(t *testing.T, s servers) toolCase{
	"ansible": func(t *testing.T, _ servers) toolCase {
		ansibletest.Tool(t)
		page := filepath.Join(t.TempDir(), "page")
		return toolCase{stack: "hosts", built: func() string { return fixture.ReadOptional(t, page) }, files: map[string]string{
			"metapipe.yml":        "environments:\n  - {name: staging, branches: [main]}\nstacks:\n  - {name: hosts, root: hosts, tool: ansible}\n",
			"hosts/site.yml":      "- {name: hosts, hosts: all, connection: local, gather_facts: false, tasks: [{name: page, ansible.builtin.copy: {dest: \"" + page + "\", content: \"{{ config.name }} in {{ metapipe.environment }}\", mode: \"0600\"}}]}\n",
			"hosts/inventory.yml": "all: {hosts: {web1: }}\n",
		}}
	},
	"cloudformation": func(t *testing.T, s servers) toolCase {
		cloud := cfntest.New(t)
		cloud.Admit(s.store.Root().AccessKey)
		built := func() string {
			for _, stack := range cloud.Stacks() {
				for _, resource := range stack.Resources {
					return resource
				}
			}
			return ""
		}
		return toolCase{stack: "cloud", built: built, environ: []string{"AWS_ENDPOINT_URL_CLOUDFORMATION=" + cloud.URL}, files: map[string]string{
			"metapipe.yml": "environments:\n  - {name: staging, branches: [main]}\nstacks:\n  - {name: cloud, root: cloud, tool: cloudformation}\n",
			"cloud/template.yml": "Parameters: {Name: {Type: String}, Environment: {Type: String}}\nResources:\n  page:\n    Type: AWS::SSM::Parameter\n" +
				"    Properties: {Type: String, Value: !Sub \"${Name} in ${Environment}\"}\n",
		}}
	},
	"kubernetes": func(t *testing.T, s servers) toolCase {
		cluster, kubectl := s.cluster(), kubernetestest.Tool(t, "kubectl")
		namespace := cluster.Namespace(t, "fault")
		built := func() string {
			status, page := cluster.Try(t, http.MethodGet, "/api/v1/namespaces/"+namespace+"/configmaps/page", "")
			data, _ := page["data"].(map[string]any)
			text, _ := data["page"].(string)
			if status != http.StatusNotFound && text == "" {
				t.Errorf("status %d: %v", status, page)
			}
			return text
		}
		return toolCase{stack: "app", built: built, environ: []string{"CLUSTER=" + cluster.Kubeconfig(kubernetestest.AdminToken), "PATH=" + filepath.Dir(kubectl) + ":" + os.Getenv("PATH")}, files: map[string]string{
			"metapipe.yml":           "environments:\n  - {name: staging, branches: [main]}\nstacks:\n  - {name: app, root: app, tool: kubernetes, kubernetes: {kubeconfig: CLUSTER, namespace: " + namespace + "}}\n",
			"app/manifests/all.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: page}\ndata: {page: \"{{ config.name }} in {{ environment }}\"}\n",
		}}
	},
	"pulumi": func(t *testing.T, _ servers) toolCase {
		_, path := pulumitest.Tool(t)
		page := filepath.Join(t.TempDir(), "page")
		return toolCase{stack: "web", built: func() string { return fixture.ReadOptional(t, page) }, locks: "/pulumi/.pulumi/locks/", environ: []string{"PATH=" + path}, files: map[string]string{
			"metapipe.yml":    "environments:\n  - {name: staging, branches: [main]}\nstacks:\n  - {name: web, root: web, tool: pulumi}\n",
			"web/Pulumi.yaml": "name: web\nruntime: yaml\nconfig:\n  name: {type: string}\n  environment: {type: string}\nresources:\n  page:\n    type: metapipetest:index:File\n    properties: {path: " + page + ", content: \"${name} in ${environment}\"}\n",
		}}
	},
}

// TestFaultTools ends the steps that plan and apply with other tools, and lets their writes fail,
// each at each of its writes.
func TestFaultTools(t *testing.T) {
	t.Parallel()
	server := miniotest.Start(t, miniotest.Options{KMS: true})
	for tool, newCase := range toolCases {
		t.Run(tool, func(t *testing.T) {
			t.Parallel()
			m := tally{every: 23}
			shared := servers{server, sync.OnceValue(func() *kubernetestest.Cluster { return kubernetestest.New(t) })}
			m.report(t)
			push := func(t *testing.T, bucket string) (*fixture.PushCase, toolCase) {
				c := newCase(t, shared)
				c.push = fixture.NewPushCaseOf(t, server, tool+"-"+bucket, c.stack, c.files)
				c.push.Setenv(c.environ...)
				return c.push, c
			}
			s, _ := push(t, "recorded")
			n := 0
			for _, at := range recorded(s, func() bool { good, _ := s.PlayAll(s.Run); return good }) {
				if !slices.Contains([]string{"plan", "apply"}, at.step.Command) {
					continue
				}
				for _, death := range deaths {
					if death.tool && !fixture.OfTool(at.name) || death.signal == syscall.SIGTERM {
						continue // as SIGKILL, but for the report; as SIGINT
					}
					n++
					bucket := fmt.Sprintf("kill-%d", n)
					m.run(t, at.String()+"/"+death.name, func(t *testing.T) {
						s, c := push(t, bucket)
						tools := dies(s, at, death.signal, death.fault, death.tool)
						s.PlayAll(s.Run)
						s.Disarm(s.Hub)
						fixture.Await(t, "the tool to end", func() bool { return !slices.ContainsFunc(tools(), fixture.Alive) })
						s.WantNothingLost(c, s.Run.SHA, "first in staging")
						if death.signal == syscall.SIGKILL {
							s.WantRerun(c)
						}
					})
				}
				if !strings.HasPrefix(at.name, "S3 ") || fixture.OfTool(at.name) {
					continue
				}
				for _, fault := range storeFaults {
					n++
					bucket := fmt.Sprintf("fault-%d", n)
					m.run(t, at.String()+"/"+fault.name, func(t *testing.T) {
						s, c := push(t, bucket)
						fails(s, at, fault.Fault, fault.times)
						s.PlayAll(s.Run)
						s.Disarm(s.Hub)
						s.WantNothingLost(c, s.Run.SHA, "first in staging")
						if fault.times > 1 {
							s.WantRerun(c)
						}
					})
				}
			}
		})
	}
}
