package pipelinetest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// DeleteAll removes all objects with a prefix.
func (w *Setup) DeleteAll(prefix string) {
	w.T.Helper()
	for _, key := range Must[[]string](w.T)(w.Store.List(context.Background(), prefix)) {
		if err := w.Store.Delete(context.Background(), key); err != nil {
			w.T.Fatal(err)
		}
	}
}

// Folder is the folder of a plan in the store.
func (w *Setup) Folder(request pipeline.Request, env pipeline.Environment) string {
	return fmt.Sprintf("acme/%s/plans/%s/0001/", env, request.ID)
}

// Replace overwrites a stored object, as someone with write access could.
func (w *Setup) Replace(request pipeline.Request, env pipeline.Environment, object string, change func([]byte) []byte) {
	w.T.Helper()
	key := w.Folder(request, env) + object
	b := w.Read(key)
	w.Write(key, change(b))
}

// Read reads an object of the store.
func (w *Setup) Read(key string) []byte {
	w.T.Helper()
	r, err := w.Store.Open(context.Background(), key)
	if err != nil {
		w.T.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil {
		w.T.Fatal(err)
	}
	return b
}

// Write overwrites an object of the store.
func (w *Setup) Write(key string, b []byte) {
	w.T.Helper()
	ctx := context.Background()
	if err := errors.Join(w.Store.Delete(ctx, key), w.Store.Create(ctx, key, strings.NewReader(string(b)))); err != nil {
		w.T.Fatal(err)
	}
}

// RequestFile is the key of the record of a request.
func RequestFile(id pipeline.RequestID) string { return "acme/requests/" + string(id) + ".json" }

// EditRequest changes the record of a request as someone without the key can.
func (w *Setup) EditRequest(id pipeline.RequestID, change [2]string) {
	w.T.Helper()
	before := w.Read(RequestFile(id))
	var r struct{ Record pipeline.Request }
	if err := json.Unmarshal(before, &r); err != nil {
		w.T.Fatal(err)
	}
	old := strings.ReplaceAll(change[0], "RUN", fmt.Sprint(r.Record.ManagerRun.ID))
	after := bytes.Replace(before, []byte(old), []byte(change[1]), 1)
	if bytes.Equal(before, after) {
		w.T.Fatalf("no %s in %s", old, before)
	}
	w.Write(RequestFile(id), after)
}

// Delete deletes an object.
func (w *Setup) Delete(key string) {
	w.T.Helper()
	if err := w.Store.Delete(context.Background(), key); err != nil {
		w.T.Fatal(err)
	}
}

// Rewrite changes the objects under a prefix, as someone with the store's
// credentials would.
func (w *Setup) Rewrite(prefix string, change func(map[string][]byte)) {
	w.T.Helper()
	ctx := context.Background()
	objects := map[string][]byte{}
	for _, key := range Must[[]string](w.T)(w.Store.List(ctx, prefix)) {
		objects[key] = w.Read(key)
		if err := w.Store.Delete(ctx, key); err != nil {
			w.T.Fatal(err)
		}
	}
	change(objects)
	for key, b := range objects {
		if err := w.Store.Create(ctx, key, bytes.NewReader(b)); err != nil {
			w.T.Fatal(err)
		}
	}
}

// Create creates an object of the store that does not exist yet.
func (w *Setup) Create(key, content string) {
	w.T.Helper()
	if err := w.Store.Create(context.Background(), key, strings.NewReader(content)); err != nil {
		w.T.Fatal(err)
	}
}

// SpoilApplied changes the objects of the last apply with a suffix.
func (w *Setup) SpoilApplied(suffix string) {
	w.T.Helper()
	for _, key := range Must[[]string](w.T)(w.Store.List(context.Background(), "acme/staging/applied/")) {
		if !strings.HasSuffix(key, suffix) {
			continue
		}
		b := w.Read(key)
		changed := bytes.Replace(b, []byte(`"actor"`), []byte(`"actoR"`), 1)
		if bytes.Equal(changed, b) {
			changed[len(changed)-1] ^= 1
		}
		if err := errors.Join(w.Store.Delete(context.Background(), key), w.Store.Create(context.Background(), key, bytes.NewReader(changed))); err != nil {
			w.T.Fatal(err)
		}
	}
}

// Detach takes away what is attached to the records below a prefix.
func (w *Setup) Detach(prefix string) {
	w.T.Helper()
	for _, key := range w.Keys(prefix) {
		b := w.Read(key)
		changed := bytes.Replace(b, []byte(`"attached": "`), []byte(`"detached": "`), 1)
		if bytes.Equal(changed, b) {
			w.T.Fatalf("nothing is attached to %s", key)
		}
		w.Write(key, changed)
	}
}

// Keys lists the objects with a prefix.
func (w *Setup) Keys(prefix string) []string {
	w.T.Helper()
	return Must[[]string](w.T)(w.Store.List(context.Background(), prefix))
}

// OpenKeys lists the entries of open requests.
func (w *Setup) OpenKeys() []string {
	w.T.Helper()
	return Must[[]string](w.T)(w.Store.List(context.Background(), "_metapipe/open/"))
}
