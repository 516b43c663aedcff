package hubtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
)

// Version is the release of the npm package @octokit/openapi whose file
// generated/api.github.com.json the traffic is checked against.
const Version = "23.0.2"

// The environment variables that steer the check.
const (
	// EnvFile is the path of the description, when it is not in the cache.
	EnvFile = "METAPIPE_API_DESCRIPTION"
	// EnvRequire set to "1" makes a missing description a failure.
	EnvRequire = "METAPIPE_REQUIRE_API_DESCRIPTION"
)

// SkipName is the name under which the check is skipped where the description
// is missing.
const SkipName = "api-description"

// errMissing says that there is no description on this machine.
var errMissing = errors.New("GitHub's API description is not on this machine; `make api-description` fetches it")

// described are the paths that are kept: loading all of the description takes
// several seconds, and minutes under the race detector.
var described = regexp.MustCompile(`^/(user|users/\{username\}|rate_limit|app|app/installations/\{installation_id\}/access_tokens|orgs/\{org\}/properties/.*|orgs/\{org\}/teams|repos/\{owner\}/\{repo\}(/(properties|contents|git|branches|compare|commits|statuses|pulls|issues|labels|deployments|environments|dispatches|actions|installation|rules|rulesets)(/.*)?)?)$`)

// webhooks are the schemas of the events that a workflow run can have.
var webhooks = []string{
	"webhook-push", "webhook-pull-request-opened", "webhook-pull-request-synchronize", "webhook-pull-request-closed",
	"webhook-repository-dispatch-sample", "webhook-workflow-dispatch", "webhook-merge-group-checks-requested",
}

type description struct {
	doc    *openapi3.T
	router routers.Router
}

// load reads the description once per test binary.
var load = sync.OnceValues(func() (*description, error) {
	file, err := locate(os.Getenv, EnvFile, "api-description", Version, "api.github.com.json")
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read GitHub's API description: %w", err)
	}
	data, err = prune(data)
	if err != nil {
		return nil, fmt.Errorf("read GitHub's API description %s: %w", file, err)
	}
	doc, err := openapi3.NewLoader().LoadFromData(data)
	if err != nil {
		return nil, fmt.Errorf("load GitHub's API description %s: %w", file, err)
	}
	// The server's own address is not known here, and only the path counts.
	doc.Servers = openapi3.Servers{{URL: "/"}}
	router, err := gorillamux.NewRouter(doc)
	if err != nil {
		return nil, fmt.Errorf("route GitHub's API description: %w", err)
	}
	return &description{doc, router}, nil
})

// locate says where a file that `make api-description` fetches is: at the path in an
// environment variable, or in the cache.
func locate(getenv func(string) string, env, folder, version, name string) (string, error) {
	if file := getenv(env); file != "" {
		return file, nil
	}
	file, err := Fetched(folder, version, name)
	if err != nil {
		return "", fmt.Errorf("find GitHub's API description: %w", err)
	}
	if _, err := os.Stat(file); errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("%w (looked for %s)", errMissing, file)
	}
	return file, nil
}

// Fetched is the path of a file that `make api-description` puts into the cache, whether it is there or not.
func Fetched(folder, version, name string) (string, error) {
	cache, err := os.UserCacheDir()
	return filepath.Join(cache, "metapipe", folder, version, name), err
}

// prune keeps the described paths and what they refer to.
func prune(data []byte) ([]byte, error) {
	var doc struct {
		OpenAPI    string                                `json:"openapi"`
		Info       json.RawMessage                       `json:"info"`
		Paths      map[string]json.RawMessage            `json:"paths"`
		Components map[string]map[string]json.RawMessage `json:"components"`
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		return nil, err
	}
	kept := map[string]map[string]json.RawMessage{}
	var keep func(raw json.RawMessage)
	keep = func(raw json.RawMessage) {
		for _, m := range reference.FindAllSubmatch(raw, -1) {
			kind, name := string(m[1]), string(m[2])
			target, exists := doc.Components[kind][name]
			if _, have := kept[kind][name]; have || !exists {
				continue
			}
			if kept[kind] == nil {
				kept[kind] = map[string]json.RawMessage{}
			}
			kept[kind][name] = target
			keep(target)
		}
	}
	for path, item := range doc.Paths {
		if !described.MatchString(path) {
			delete(doc.Paths, path)
			continue
		}
		keep(item)
	}
	for _, name := range webhooks {
		keep(json.RawMessage(`{"$ref":"#/components/schemas/` + name + `"}`))
	}
	// Examples are half of the file, and nothing here reads them.
	delete(kept, "examples")
	doc.Components = kept
	text, err := json.Marshal(doc)
	if err != nil {
		return nil, err
	}
	return withoutExamples(text)
}

var reference = regexp.MustCompile(`"\$ref":\s*"#/components/([A-Za-z]+)/([^"]+)"`)

// withoutExamples drops `examples` of bodies and parameters, whose targets are
// gone. A property of that name keeps its schema.
func withoutExamples(text []byte) ([]byte, error) {
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		return nil, err
	}
	var walk func(v any)
	walk = func(v any) {
		switch x := v.(type) {
		case map[string]any:
			if group, isMap := x["examples"].(map[string]any); isMap && allReferences(group) {
				delete(x, "examples")
			}
			for _, child := range x {
				walk(child)
			}
		case []any:
			for _, child := range x {
				walk(child)
			}
		}
	}
	walk(v)
	return json.Marshal(v)
}

func allReferences(group map[string]any) bool {
	for _, v := range group {
		m, isMap := v.(map[string]any)
		ref, _ := m["$ref"].(string)
		_, literal := m["value"]
		if !isMap || !strings.HasPrefix(ref, "#/components/examples/") && !literal {
			return false
		}
	}
	return len(group) > 0
}
