package api

import (
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"fanfare"
	"fanfare/jobs"
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

// finish says what huma does not know of the types: which values there are,
// what JSON that is kept as it came looks like, and what may be null.
func finish(registry huma.Registry) {
	allowNull(registry)
	for place, schema := range map[[2]string]*huma.Schema{
		{"ErrorBody", "code"}:        oneOf(fanfare.ErrorCodes()),
		{"ErrorBody", "details"}:     registry.Schema(reflect.TypeFor[errorDetails](), true, ""),
		{"JobError", "code"}:         oneOf(fanfare.JobCodes()),
		{"Job", "kind"}:              oneOf(jobs.Names()),
		{"Job", "result"}:            resultSchema(registry),
		{"AuditEntry", "action"}:     oneOf(fanfare.AuditActions()),
		{"AuditEntry", "metadata"}:   anyObject(),
		{"Conversation", "metadata"}: anyObject(),
		{"Campaign", "metrics"}:      anyObject(),
		{"Campaign", "audience"}:     audienceSchema(registry.Schema(reflect.TypeFor[fanfare.RecipientCounts](), true, "")),
		{"CampaignPatch", "audience"}: orNull(audienceSchema(&huma.Schema{
			Type: huma.TypeObject, Properties: map[string]*huma.Schema{"email": addresses(), "sms": addresses()}, Nullable: true,
		})),
	} {
		set(registry.Map()[place[0]], place[1], schema)
	}
	for _, schema := range registry.Map() {
		if schema.AdditionalProperties == true && len(schema.Properties) > 0 {
			schema.AdditionalProperties = nil // there may be more; clients need no type for that
		}
	}
}

// set puts a schema in a property's place and keeps its description.
func set(in *huma.Schema, name string, schema *huma.Schema) {
	old := in.Properties[name]
	schema.Description, schema.Examples = old.Description, old.Examples
	in.Properties[name] = schema
}

// errorDetails are what errors tell programs.
type errorDetails struct {
	Fields     []fanfare.FieldError `json:"fields,omitempty" nullable:"false" doc:"Of invalid_request: what is wrong with which field"`
	Limit      *int                 `json:"limit,omitempty" doc:"Of rate_limited: how many requests are allowed"`
	Remaining  *int                 `json:"remaining,omitempty" doc:"Likewise: 0"`
	Reset      *time.Time           `json:"reset,omitempty" doc:"Likewise: when all are there again"`
	RetryAfter *int                 `json:"retryAfter,omitempty" doc:"Likewise: seconds until one more is allowed"`
}

// resultSchema is what jobs end with: of which kind each is, its name says.
func resultSchema(registry huma.Registry) *huma.Schema {
	result := &huma.Schema{}
	for _, t := range []reflect.Type{
		reflect.TypeFor[Generated](), reflect.TypeFor[Launched](), reflect.TypeFor[Analysis](), reflect.TypeFor[Optimizations](),
	} {
		result.AnyOf = append(result.AnyOf, registry.Schema(t, true, ""))
	}
	result.AnyOf = append(result.AnyOf, &huma.Schema{Type: "null"})
	return result
}

func anyObject() *huma.Schema {
	return &huma.Schema{Type: huma.TypeObject, AdditionalProperties: &huma.Schema{}}
}

func audienceSchema(recipients *huma.Schema) *huma.Schema {
	audience := anyObject()
	audience.Properties = map[string]*huma.Schema{
		"description": {Type: huma.TypeString, Description: "Whom it is for, as the model read it in the brief"},
		"recipients":  recipients,
	}
	return audience
}

// addresses are what a patch may put in a list's place.
func addresses() *huma.Schema {
	return &huma.Schema{AnyOf: []*huma.Schema{
		{Type: huma.TypeArray, Items: &huma.Schema{Type: huma.TypeString}, Description: "The new list"},
		{Type: huma.TypeInteger, Description: "The count that stands there: the list stays"},
		{Type: "null", Description: "No recipients"},
	}}
}

// patchOf is the schema of patches to something: all may be left out, and null
// removes what need not be there.
func patchOf(registry huma.Registry, whole *huma.Schema) *huma.Schema {
	if whole.Ref != "" {
		whole = registry.SchemaFromRef(whole.Ref)
	}
	patch := *whole
	patch.Required = nil
	patch.Properties = map[string]*huma.Schema{}
	for name, property := range whole.Properties {
		part := patchOf(registry, property)
		part.Nullable = part.Nullable || !slices.Contains(whole.Required, name)
		patch.Properties[name] = part
	}
	return &patch
}

// allowNull says in every schema which fields may be null: those that are
// pointers. huma knows that of simple types only. Of a field that may be left
// out that holds where clients send it; in answers it is left out.
func allowNull(registry huma.Registry) {
	for name, schema := range registry.Map() {
		t := registry.TypeFromRef("#/components/schemas/" + name)
		if t == nil { // a patch's
			continue
		}
		sent := strings.HasSuffix(name, "InputBody") || strings.HasSuffix(name, "Edit")
		for i := range t.NumField() {
			field := t.Field(i)
			name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
			property := schema.Properties[name]
			if property == nil || field.Type.Kind() != reflect.Pointer || options != "" && !sent {
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
	description := property.Description
	property.Description = ""
	return &huma.Schema{Description: description, AnyOf: []*huma.Schema{property, {Type: "null"}}}
}
