package api

import (
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"fanfare"
)

// describeTypes tells the OpenAPI document, and the checks made from it, what
// the domain's own types are in JSON.
func describeTypes(registry huma.Registry) {
	registry.RegisterTypeAlias(reflect.TypeFor[fanfare.Money](), reflect.TypeFor[moneySchema]())
	registry.RegisterTypeAlias(reflect.TypeFor[fanfare.Channel](), reflect.TypeFor[channelSchema]())
	registry.RegisterTypeAlias(reflect.TypeFor[fanfare.CampaignStatus](), reflect.TypeFor[campaignStatusSchema]())
	registry.RegisterTypeAlias(reflect.TypeFor[fanfare.JobStatus](), reflect.TypeFor[jobStatusSchema]())
}

type (
	moneySchema          struct{}
	channelSchema        struct{}
	campaignStatusSchema struct{}
	jobStatusSchema      struct{}
)

// Schema implements huma.SchemaProvider.
func (moneySchema) Schema(huma.Registry) *huma.Schema { return &huma.Schema{Type: huma.TypeNumber} }

// Schema implements huma.SchemaProvider.
func (channelSchema) Schema(huma.Registry) *huma.Schema { return oneOf(fanfare.Channels()) }

// Schema implements huma.SchemaProvider.
func (campaignStatusSchema) Schema(huma.Registry) *huma.Schema {
	return oneOf(fanfare.CampaignStatuses())
}

// Schema implements huma.SchemaProvider.
func (jobStatusSchema) Schema(huma.Registry) *huma.Schema { return oneOf(fanfare.JobStatuses()) }

func oneOf[T ~string](values []T) *huma.Schema {
	schema := &huma.Schema{Type: huma.TypeString}
	for _, value := range values {
		schema.Enum = append(schema.Enum, string(value))
	}
	schema.PrecomputeMessages()
	return schema
}

// allowNull says in every schema which fields may be null: those that are
// pointers. huma knows that of simple types only.
func allowNull(registry huma.Registry) {
	for name, schema := range registry.Map() {
		t := registry.TypeFromRef("#/components/schemas/" + name)
		for i := range t.NumField() {
			field := t.Field(i)
			name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
			property := schema.Properties[name]
			if property == nil || field.Type.Kind() != reflect.Pointer || options != "" {
				continue
			}
			if property.Ref != "" {
				schema.Properties[name] = orNull(property)
			} else {
				property.Nullable = true
			}
		}
	}
}

func orNull(property *huma.Schema) *huma.Schema {
	return &huma.Schema{
		Description: property.Description,
		AnyOf:       []*huma.Schema{{Ref: property.Ref}, {Type: "null"}},
	}
}
