// A Pulumi provider for tests: its resource File is a file on this machine. It is slow or
// fails where its inputs say so.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil"
	rpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/structpb"
)

const schema = `{"name": "metapipetest", "version": "0.1.0", "resources": {"metapipetest:index:File": {
	"inputProperties": {"path": {"type": "string", "replaceOnChanges": true}, "content": {"type": "string"}, "secret": {"type": "string", "secret": true},
		"wait": {"type": "string"}, "fail": {"type": "string"}},
	"requiredInputs": ["path"],
	"properties": {"path": {"type": "string"}, "content": {"type": "string"}, "secret": {"type": "string", "secret": true},
		"wait": {"type": "string"}, "fail": {"type": "string"}, "size": {"type": "integer"}},
	"required": ["path", "size"]}}}`

type provider struct {
	rpc.UnimplementedResourceProviderServer
	stop chan struct{}
}

func (*provider) GetSchema(context.Context, *rpc.GetSchemaRequest) (*rpc.GetSchemaResponse, error) {
	return &rpc.GetSchemaResponse{Schema: schema}, nil
}

func (*provider) CheckConfig(_ context.Context, r *rpc.CheckRequest) (*rpc.CheckResponse, error) {
	return &rpc.CheckResponse{Inputs: r.News}, nil
}

func (*provider) DiffConfig(context.Context, *rpc.DiffRequest) (*rpc.DiffResponse, error) {
	return &rpc.DiffResponse{Changes: rpc.DiffResponse_DIFF_NONE}, nil
}

func (*provider) Configure(context.Context, *rpc.ConfigureRequest) (*rpc.ConfigureResponse, error) {
	return &rpc.ConfigureResponse{AcceptSecrets: true, SupportsPreview: true, AcceptResources: true}, nil
}

func (*provider) GetPluginInfo(context.Context, *emptypb.Empty) (*rpc.PluginInfo, error) {
	return &rpc.PluginInfo{Version: "0.1.0"}, nil
}

func (*provider) Check(_ context.Context, r *rpc.CheckRequest) (*rpc.CheckResponse, error) {
	news, err := read(r.News)
	if err != nil {
		return nil, err
	}
	if path := text(news, "path"); strings.Contains(path, "..") {
		return &rpc.CheckResponse{Inputs: r.News, Failures: []*rpc.CheckFailure{{Property: "path", Reason: "the path " + path + " leads out of its directory"}}}, nil
	}
	return &rpc.CheckResponse{Inputs: r.News}, nil
}

func (*provider) Diff(_ context.Context, r *rpc.DiffRequest) (*rpc.DiffResponse, error) {
	olds, err := read(r.OldInputs)
	news, err2 := read(r.News)
	if err := errors.Join(err, err2); err != nil {
		return nil, err
	}
	answer := &rpc.DiffResponse{Changes: rpc.DiffResponse_DIFF_NONE, HasDetailedDiff: true, DetailedDiff: map[string]*rpc.PropertyDiff{}}
	difference := olds.Diff(news)
	if difference == nil {
		return answer, nil
	}
	for _, key := range difference.ChangedKeys() {
		kind := rpc.PropertyDiff_UPDATE
		if key == "path" {
			kind = rpc.PropertyDiff_UPDATE_REPLACE
			answer.Replaces = append(answer.Replaces, string(key))
		}
		answer.Changes, answer.Diffs = rpc.DiffResponse_DIFF_SOME, append(answer.Diffs, string(key))
		answer.DetailedDiff[string(key)] = &rpc.PropertyDiff{Kind: kind, InputDiff: true}
	}
	return answer, nil
}

func (p *provider) Create(ctx context.Context, r *rpc.CreateRequest) (*rpc.CreateResponse, error) {
	outputs, id, err := p.write(ctx, r.Properties, r.Preview)
	return &rpc.CreateResponse{Id: id, Properties: outputs}, err
}

func (p *provider) Update(ctx context.Context, r *rpc.UpdateRequest) (*rpc.UpdateResponse, error) {
	outputs, _, err := p.write(ctx, r.News, r.Preview)
	return &rpc.UpdateResponse{Properties: outputs}, err
}

// place is where a file lies: a path that is not absolute begins at the directory for
// temporary files.
func place(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(os.TempDir(), path)
}

// write writes the file: its content in the first line, the secret in the second.
func (p *provider) write(ctx context.Context, properties *structpb.Struct, preview bool) (*structpb.Struct, string, error) {
	inputs, err := read(properties)
	if err != nil || preview {
		return properties, "", err
	}
	path, content := place(text(inputs, "path")), text(inputs, "content")+"\n"+text(inputs, "secret")
	if why := text(inputs, "fail"); why != "" {
		return nil, "", errors.New(why + text(inputs, "secret"))
	}
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(content), 0o600)); err != nil {
		return nil, "", err
	}
	for wait := text(inputs, "wait"); wait != ""; time.Sleep(20 * time.Millisecond) {
		if _, err := os.Stat(wait); err == nil {
			break
		}
		select {
		case <-ctx.Done():
			return nil, "", ctx.Err()
		case <-p.stop:
			return nil, "", errors.New("cancelled while it waited")
		default:
		}
	}
	inputs["size"] = resource.NewNumberProperty(float64(len(content)))
	outputs, err := plugin.MarshalProperties(inputs, plugin.MarshalOptions{KeepSecrets: true})
	return outputs, path, err
}

func (*provider) Read(_ context.Context, r *rpc.ReadRequest) (*rpc.ReadResponse, error) {
	content, err := os.ReadFile(r.Id)
	if errors.Is(err, os.ErrNotExist) {
		return &rpc.ReadResponse{}, nil
	}
	state, stateErr := read(r.Properties)
	inputs, inputsErr := read(r.Inputs)
	if err := errors.Join(err, stateErr, inputsErr); err != nil {
		return nil, err
	}
	first, second, _ := strings.Cut(string(content), "\n")
	for _, properties := range []resource.PropertyMap{state, inputs} {
		set(properties, "content", first)
		set(properties, "secret", second)
	}
	state["size"] = resource.NewNumberProperty(float64(len(content)))
	options := plugin.MarshalOptions{KeepSecrets: true}
	outputs, err := plugin.MarshalProperties(state, options)
	given, err2 := plugin.MarshalProperties(inputs, options)
	return &rpc.ReadResponse{Id: r.Id, Properties: outputs, Inputs: given}, errors.Join(err, err2)
}

func (*provider) Delete(_ context.Context, r *rpc.DeleteRequest) (*emptypb.Empty, error) {
	if err := os.Remove(r.Id); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	return &emptypb.Empty{}, nil
}

// Cancel ends what waits.
func (p *provider) Cancel(context.Context, *emptypb.Empty) (*emptypb.Empty, error) {
	close(p.stop)
	return &emptypb.Empty{}, nil
}

func read(properties *structpb.Struct) (resource.PropertyMap, error) {
	return plugin.UnmarshalProperties(properties, plugin.MarshalOptions{KeepSecrets: true, KeepUnknowns: true})
}

// set sets a value, which stays a secret where it is one.
func set(properties resource.PropertyMap, key resource.PropertyKey, value string) {
	old, there := properties[key]
	if !there && value == "" {
		return
	}
	properties[key] = resource.NewStringProperty(value)
	if there && old.IsSecret() {
		properties[key] = resource.MakeSecret(properties[key])
	}
}

func text(properties resource.PropertyMap, key resource.PropertyKey) string {
	value := properties[key]
	if value.IsSecret() {
		value = value.SecretValue().Element
	}
	if !value.IsString() {
		return ""
	}
	return value.StringValue()
}

func main() {
	p := &provider{stop: make(chan struct{})}
	handle, err := rpcutil.ServeWithOptions(rpcutil.ServeOptions{Init: func(server *grpc.Server) error {
		rpc.RegisterResourceProviderServer(server, p)
		return nil
	}})
	if err == nil {
		fmt.Println(handle.Port) // which the engine reads
		err = <-handle.Done
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
