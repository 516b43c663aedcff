package kubernetestest

import (
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
)

// Review is what the API server asks a webhook.
type Review struct {
	UID       string `json:"uid"`
	Name      string `json:"name"`
	Operation string `json:"operation"`
	DryRun    bool   `json:"dryRun"`
}

// Webhook has the API server ask answer before it writes a ConfigMap of a namespace; dry runs
// pass. An empty answer admits the write, any other is the error. The server waits for 30
// seconds.
func (c *Cluster) Webhook(t testing.TB, namespace string, answer func(Review) string) {
	t.Helper()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var asked struct {
			Request Review `json:"request"`
		}
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		message := ""
		if !asked.Request.DryRun {
			message = answer(asked.Request)
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
			"response": map[string]any{"uid": asked.Request.UID, "allowed": message == "", "status": map[string]any{"message": message}}})
	}))
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	path := "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
	c.Do(t, http.MethodPost, path, fmt.Sprintf(`{"apiVersion":"admissionregistration.k8s.io/v1","kind":"ValidatingWebhookConfiguration","metadata":{"name":%q},
		"webhooks":[{"name":"test.metapipe.example","sideEffects":"None","admissionReviewVersions":["v1"],"failurePolicy":"Fail","timeoutSeconds":30,
		"clientConfig":{"url":%q,"caBundle":%q},"namespaceSelector":{"matchLabels":{"kubernetes.io/metadata.name":%q}},
		"rules":[{"apiGroups":[""],"apiVersions":["v1"],"resources":["configmaps"],"operations":["CREATE","UPDATE"]}]}]}`,
		namespace, server.URL, base64.StdEncoding.EncodeToString(ca), namespace))
	t.Cleanup(func() {
		c.Do(t, http.MethodDelete, path+"/"+namespace, "")
		server.CloseClientConnections()
		server.Close()
	})
}
