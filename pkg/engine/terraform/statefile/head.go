package statefile

import (
	"encoding/json"
	"errors"
	"strings"

	"github.com/metapipe/metapipe/pkg/engine/jsonvalue"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// head is what is read of a state. It takes what the tools take: names of members in any
// letter case, and the older formats.
type head struct {
	jsonvalue.Reader
	record    pipeline.StateRecord
	version   uint64
	encrypted bool            // OpenTofu writes lineage and serial beside what it has encrypted
	listed    bool            // it has the member resources
	resources int             // managed ones of the format 4 and later
	modules   map[string]bool // managed resources of the formats before, by module, type and name
	misfit    error           // of a member that has not the form of format 4
}

func (h *head) member(key string) error {
	for name, read := range map[string]func() error{
		"version": func() error { return h.Decode(&h.version) },
		"lineage": func() error { return h.Decode(&h.record.Lineage) },
		"serial":  func() error { return h.Decode(&h.record.Serial) },
		"outputs": func() error { return h.typed(&map[string]outputV4{}) },
		"modules": func() error { return h.Array(h.module) },
		"resources": func() error {
			h.listed, h.resources = true, 0
			return h.Array(h.resource)
		},
	} {
		if strings.EqualFold(key, name) {
			return read()
		}
	}
	if key == "encrypted_data" {
		h.encrypted = true
	}
	return h.Skip()
}

// typed decodes a member of format 4. Whether a misfit counts is known when the version is,
// which may stand behind it.
func (h *head) typed(into any) error {
	err := h.Decode(into)
	var other *json.UnmarshalTypeError
	if errors.As(err, &other) {
		h.misfit, err = err, nil
	}
	return err
}

// count is the number of managed resources, as a tool counts them once it has read the state.
func (h *head) count() int {
	switch {
	case h.encrypted, h.version == 0:
		return pipeline.UnknownResources
	case h.version < newestVersion:
		return len(h.modules)
	case h.version == newestVersion || h.listed:
		return h.resources
	}
	return pipeline.UnknownResources
}

// The members of format 4, with their types and without their values.
// https://github.com/hashicorp/terraform/blob/v1.11.4/internal/states/statefile/version4.go
type (
	outputV4 struct {
		Sensitive bool `json:"sensitive"`
	}
	resourceV4 struct {
		Module, Mode, Type, Name, Each, Provider string
		Instances                                []instanceV4
	}
	instanceV4 struct {
		Status, Deposed string
		SchemaVersion   uint64            `json:"schema_version"`
		Flat            map[string]string `json:"attributes_flat"`
		Dependencies    []string          `json:"dependencies"`
		CreateFirst     bool              `json:"create_before_destroy"`
	}
)

func (h *head) resource() error {
	var resource resourceV4
	if err := h.typed(&resource); err != nil {
		return err
	}
	if resource.Mode == "managed" && len(resource.Instances) > 0 { // one without instances is gone
		h.resources++
	}
	return nil
}

// module reads a module of a format before 4: a map of instances, such as aws_instance.a.0.
func (h *head) module() error {
	var module struct {
		Path      []string
		Resources map[string]json.RawMessage
	}
	if err := h.Decode(&module); err != nil {
		return err
	}
	for key := range module.Resources {
		parts := strings.SplitN(key, ".", 3)
		if parts[0] == "data" || len(parts) < 2 {
			continue
		}
		h.modules[strings.Join(append(module.Path, parts[0], parts[1]), "\x00")] = true
	}
	return nil
}
