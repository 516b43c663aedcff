package pipeline_test

import (
	"reflect"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

func TestAudienceCoversEveryField(t *testing.T) {
	t.Parallel()
	var none pipeline.Ask
	for i := range reflect.TypeFor[pipeline.Ask]().NumField() {
		var a pipeline.Ask
		field := reflect.ValueOf(&a).Elem().Field(i)
		switch field.Kind() {
		case reflect.String:
			field.SetString("x")
		case reflect.Int, reflect.Int64:
			field.SetInt(1)
		default:
			t.Fatalf("field %d has kind %s", i, field.Kind())
		}
		if a.Audience(managerSlug) == none.Audience(managerSlug) {
			t.Errorf("%s is not signed", reflect.TypeFor[pipeline.Ask]().Field(i).Name)
		}
	}
	// Fields cannot lend each other their text.
	left, right := pipeline.Ask{Path: `a" "b`}, pipeline.Ask{Path: "a", Customer: "b"}
	if left.Audience(managerSlug) == right.Audience(managerSlug) {
		t.Error("two asks share an audience")
	}
}
