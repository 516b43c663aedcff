package pipeline_test

import (
	"reflect"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
)

func TestAudienceCoversEveryField(t *testing.T) {
	t.Parallel()
	var none pipeline.DispatchRequest
	for i := range reflect.TypeFor[pipeline.DispatchRequest]().NumField() {
		var a pipeline.DispatchRequest
		field := reflect.ValueOf(&a).Elem().Field(i)
		switch field.Kind() {
		case reflect.String:
			field.SetString("x")
		case reflect.Int, reflect.Int64:
			field.SetInt(1)
		default:
			t.Fatalf("field %d has kind %s", i, field.Kind())
		}
		if a.Audience(pipelinetest.ManagerSlug) == none.Audience(pipelinetest.ManagerSlug) {
			t.Errorf("%s is not signed", reflect.TypeFor[pipeline.DispatchRequest]().Field(i).Name)
		}
	}
	// Fields cannot lend each other their text.
	left, right := pipeline.DispatchRequest{Path: `a" "b`}, pipeline.DispatchRequest{Path: "a", Customer: "b"}
	if left.Audience(pipelinetest.ManagerSlug) == right.Audience(pipelinetest.ManagerSlug) {
		t.Error("two asks share an audience")
	}
}
