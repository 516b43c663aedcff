package kubernetestest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"
)

// Controller acts on the objects of a kind, again and again until the test ends. path is that
// of the list; act gets each object and returns its next status in JSON, empty for none.
func (c *Cluster) Controller(t testing.TB, path string, act func(o map[string]any, place string) string) {
	t.Helper()
	stop, stopped := make(chan struct{}), make(chan struct{})
	t.Cleanup(func() { close(stop); <-stopped })
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			case <-time.After(100 * time.Millisecond):
			}
			status, raw, err := c.call(t.Context(), AdminToken, http.MethodGet, path, "", nil)
			if err != nil || status != http.StatusOK {
				continue // the kind may not be there yet
			}
			var all struct{ Items []map[string]any }
			if json.Unmarshal(raw, &all) != nil {
				continue
			}
			for _, o := range all.Items {
				metadata, _ := o["metadata"].(map[string]any)
				place := fmt.Sprintf("%s/%v", path, metadata["name"])
				if namespace, ok := metadata["namespace"]; ok {
					place = namespaced(path, fmt.Sprint(namespace)) + "/" + fmt.Sprint(metadata["name"])
				}
				if next := act(o, place); next != "" {
					_, _, _ = c.call(t.Context(), AdminToken, http.MethodPatch, place+"/status", "application/merge-patch+json", []byte(`{"status":`+next+`}`))
				}
			}
		}
	}()
}

// namespaced puts a namespace into the path of a list.
func namespaced(path, namespace string) string {
	for i := len(path) - 1; i >= 0; i-- {
		if path[i] == '/' {
			return path[:i] + "/namespaces/" + namespace + path[i:]
		}
	}
	return path
}

// RunDeployments says of each Deployment that all of its replicas are available, as the
// controllers of a whole cluster do.
func (c *Cluster) RunDeployments(t testing.TB) {
	t.Helper()
	c.Controller(t, "/apis/apps/v1/deployments", func(o map[string]any, _ string) string {
		metadata, _ := o["metadata"].(map[string]any)
		spec, _ := o["spec"].(map[string]any)
		status, _ := o["status"].(map[string]any)
		if status["observedGeneration"] == metadata["generation"] {
			return ""
		}
		n := spec["replicas"]
		return fmt.Sprintf(`{"observedGeneration":%v,"replicas":%v,"updatedReplicas":%v,"readyReplicas":%v,"availableReplicas":%v}`, metadata["generation"], n, n, n, n)
	})
}
