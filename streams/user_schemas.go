package streams

// UserSchemas holds the profile schema of every user type; the type's record says where it is.
//
// https://developer.okta.com/docs/api/openapi/okta-management/management/tag/Schema/#tag/Schema/operation/getUserSchema
var UserSchemas = define(Stream{
	Name:      "user_schemas",
	Path:      "/api/v1/meta/schemas/user/{schemaId}",
	Paginator: SingleObject,
	Key:       []string{"id"},
	Parent:    &Parent{Stream: UserTypes, Link: "_links.schema.href"},
	Scope:     "okta.schemas.read",
})
