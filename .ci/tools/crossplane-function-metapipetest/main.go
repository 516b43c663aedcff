// Command crossplane-function-metapipetest is a composition function for tests. Its input lists the resources to
// compose, with what to take of the composite resource:
//
//	resources:
//	  - name: bucket
//	    base: {apiVersion: s3.example.org/v1, kind: Bucket, spec: {}}
//	    patches: [{from: spec.size, to: spec.capacity}]
//	limit: 5                              # spec.size above it is fatal
//	results: [{severity: warning, message: large}]
//
// It prints the address that it listens at, and ends with its standard input.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"os"
	"strings"

	fnv1 "github.com/crossplane/crossplane/v2/proto/fn/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/structpb"
)

func main() {
	address := flag.String("address", "127.0.0.1:0", "where to listen")
	flag.Bool("insecure", true, "as functions have it; this one knows no TLS")
	flag.Parse()
	listener, err := net.Listen("tcp", *address)
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer()
	fnv1.RegisterFunctionRunnerServiceServer(server, function{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		server.Stop()
	}()
	fmt.Println(listener.Addr())
	if err := server.Serve(listener); err != nil {
		log.Fatal(err)
	}
}

type function struct {
	fnv1.UnimplementedFunctionRunnerServiceServer
}

// RunFunction adds to what earlier steps of the pipeline want.
func (function) RunFunction(_ context.Context, request *fnv1.RunFunctionRequest) (*fnv1.RunFunctionResponse, error) {
	response := &fnv1.RunFunctionResponse{Meta: &fnv1.ResponseMeta{Tag: request.GetMeta().GetTag()}, Desired: request.GetDesired(), Context: request.GetContext()}
	if response.Desired == nil {
		response.Desired = &fnv1.State{}
	}
	if response.Desired.Resources == nil {
		response.Desired.Resources = map[string]*fnv1.Resource{}
	}
	composite, input := request.GetObserved().GetComposite().GetResource().AsMap(), request.GetInput().AsMap()
	if limit, ok := input["limit"].(float64); ok {
		if size, ok := at(composite, "spec.size").(float64); ok && size > limit {
			response.Results = append(response.Results, &fnv1.Result{Severity: fnv1.Severity_SEVERITY_FATAL, Message: fmt.Sprintf("spec.size is %v, and this platform has at most %v", size, limit)})
			return response, nil
		}
	}
	resources, _ := input["resources"].([]any)
	for _, one := range resources {
		rule, _ := one.(map[string]any)
		name, _ := rule["name"].(string)
		composed, err := compose(rule, composite)
		if err != nil {
			return nil, fmt.Errorf("compose %s: %w", name, err)
		}
		response.Desired.Resources[name] = &fnv1.Resource{Resource: composed}
	}
	results, _ := input["results"].([]any)
	for _, one := range results {
		rule, _ := one.(map[string]any)
		severity := fnv1.Severity_SEVERITY_NORMAL
		if rule["severity"] == "warning" {
			severity = fnv1.Severity_SEVERITY_WARNING
		}
		response.Results = append(response.Results, &fnv1.Result{Severity: severity, Message: fmt.Sprint(rule["message"])})
	}
	return response, nil
}

// compose fills the base of a resource in.
func compose(rule, composite map[string]any) (*structpb.Struct, error) {
	base, _ := rule["base"].(map[string]any)
	patches, _ := rule["patches"].([]any)
	for _, one := range patches {
		patch, _ := one.(map[string]any)
		from, _ := patch["from"].(string)
		to, _ := patch["to"].(string)
		if value := at(composite, from); value != nil {
			base = set(base, strings.Split(to, "."), value)
		}
	}
	return structpb.NewStruct(base)
}

func at(value any, path string) any {
	for step := range strings.SplitSeq(path, ".") {
		object, _ := value.(map[string]any)
		value = object[step]
	}
	return value
}

func set(object map[string]any, path []string, value any) map[string]any {
	object = maps.Clone(object)
	if object == nil {
		object = map[string]any{}
	}
	if len(path) == 1 {
		object[path[0]] = value
		return object
	}
	inner, _ := object[path[0]].(map[string]any)
	object[path[0]] = set(inner, path[1:], value)
	return object
}
