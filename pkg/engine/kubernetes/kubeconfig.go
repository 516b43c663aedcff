package kubernetes

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// kubeconfig is what counts of such a file.
type kubeconfig struct {
	CurrentContext string `yaml:"current-context"`
	Clusters       []struct {
		Name    string
		Cluster map[string]any
	}
	Contexts []struct {
		Name    string
		Context struct{ Cluster, User string }
	}
	Users []struct {
		Name string
		User map[string]any
	}
}

// The members that are passed on. Any other could run a program, or send what is secret
// somewhere else.
var (
	clusterMembers = []string{"server", "certificate-authority", "certificate-authority-data", "tls-server-name", "proxy-url", "disable-compression"}
	userMembers    = []string{"token", "tokenFile", "client-certificate", "client-certificate-data", "client-key", "client-key-data", "username", "password",
		"as", "as-uid", "as-groups", "as-user-extra", "exec"}
	fileMembers   = []string{"certificate-authority", "client-certificate", "client-key", "tokenFile"}
	secretMembers = []string{"token", "password", "client-key-data"}
)

// connection is one context of a kubeconfig.
type connection struct {
	server  string
	config  []byte // a kubeconfig with that context alone
	secrets []string
}

// readKubeconfig takes the context that the stack names out of the kubeconfig in the
// environment. namespace is that of objects that name none.
func (w *workspace) readKubeconfig() (connection, error) {
	rule := w.job.Tool().Kubernetes
	usage := func(format string, args ...any) *pipeline.UsageError {
		return pipeline.Usagef("the kubeconfig of the stack %s (environment variable %s) "+format, append([]any{w.job.Stack, rule.Kubeconfig}, args...)...).
			Nextf("correct the secret, or kubernetes of the stack in metapipe.yml")
	}
	text := strings.TrimSpace(w.engine.options.Environ.Get(rule.Kubeconfig))
	if rule.Kubeconfig == "" || text == "" || pipeline.DeniedToTool(rule.Kubeconfig) {
		return connection{}, pipeline.Usagef("the stack %s takes its kubeconfig from the environment variable %s, which is not set", w.job.Stack, pipeline.Quote(rule.Kubeconfig)).
			Nextf("give the jobs of the stack the secret under this name, or correct kubernetes.kubeconfig of the stack in metapipe.yml")
	}
	base := ""
	if !strings.ContainsAny(text, "\n{") {
		if decoded, err := base64.StdEncoding.DecodeString(text); err == nil && strings.Contains(string(decoded), "clusters") {
			return connection{}, usage("is base64").Nextf("store the decoded text in the secret")
		}
		if !filepath.IsAbs(text) && filepath.Ext(text) != "" {
			return connection{}, usage("is neither the content of one nor an absolute path: it looks like a relative one").Nextf("write the path from the root of the file system")
		}
		if !filepath.IsAbs(text) {
			return connection{}, usage("is neither the content of one nor an absolute path")
		}
		content, err := os.ReadFile(text)
		if err != nil {
			return connection{}, usage("cannot be read").Because(err)
		}
		base, text = filepath.Dir(text), string(content)
	}
	var all kubeconfig
	if err := yaml.Unmarshal([]byte(text), &all); err != nil {
		return connection{}, usage("is no kubeconfig") // the error quotes what is secret
	}
	wanted := rule.Context.Fill(w.job.Target(), "")
	if wanted == "" {
		wanted = all.CurrentContext
	}
	var cluster, user map[string]any
	found := false
	for _, c := range all.Contexts {
		if c.Name != wanted || found {
			continue
		}
		found = true
		for _, one := range all.Clusters {
			if one.Name == c.Context.Cluster && cluster == nil {
				cluster = one.Cluster
			}
		}
		for _, one := range all.Users {
			if one.Name == c.Context.User && user == nil {
				user = one.User
			}
		}
	}
	if !found || cluster == nil {
		return connection{}, usage("has no context %s, or that has no cluster", pipeline.Quote(wanted))
	}
	for _, part := range []struct {
		what    string
		members map[string]any
		known   []string
	}{{"cluster", cluster, clusterMembers}, {"user", user, userMembers}} {
		for name, value := range part.members {
			if name == "insecure-skip-tls-verify" && value == false {
				delete(part.members, name)
				continue
			}
			if !slices.Contains(part.known, name) {
				return connection{}, usage("has %s in its %s, which metapipe does not pass on", pipeline.Quote(name), part.what)
			}
			if path, ok := value.(string); ok && slices.Contains(fileMembers, name) {
				if !filepath.IsAbs(path) && base == "" {
					return connection{}, usage("names the file %s, and it is no file itself that this could be relative to", pipeline.Quote(path))
				}
				if !filepath.IsAbs(path) {
					part.members[name] = filepath.Join(base, path)
				}
			}
		}
	}
	c := connection{}
	c.server, _ = cluster["server"].(string)
	if at, err := url.Parse(c.server); err != nil || at.Scheme != "https" || at.Host == "" {
		return connection{}, usage("names a server that is not reached by https")
	}
	if err := checkExec(user, rule.Exec); err != "" {
		return connection{}, usage("%s", err)
	}
	for _, name := range secretMembers {
		if s, ok := user[name].(string); ok {
			c.secrets = append(c.secrets, s)
		}
	}
	if user == nil {
		user = map[string]any{}
	}
	var err error
	c.config, err = json.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "Config", "current-context": "target",
		"clusters": []any{map[string]any{"name": "target", "cluster": cluster}},
		"users":    []any{map[string]any{"name": "target", "user": user}},
		"contexts": []any{map[string]any{"name": "target", "context": map[string]any{"cluster": "target", "user": "target", "namespace": w.namespace}}},
	})
	if err != nil {
		return connection{}, usage("cannot be passed on")
	}
	return c, nil
}

// checkExec says what is wrong with the program that a user of a kubeconfig runs; empty:
// nothing. Only the manager can allow one.
func checkExec(user map[string]any, allowed []string) string {
	raw, there := user["exec"]
	if !there {
		return ""
	}
	plugin, ok := raw.(map[string]any)
	command, _ := plugin["command"].(string)
	if !ok || command == "" {
		return "has an exec that names no command"
	}
	if !slices.Contains(allowed, command) || strings.ContainsAny(command, `/\`) && !filepath.IsAbs(command) {
		return fmt.Sprintf("runs the program %s, which kubernetes.exec of the stack does not list", pipeline.Quote(command))
	}
	plugin["interactiveMode"] = "Never"
	return ""
}
