package streams

// Devices lists the devices of an Identity Engine org. Its search takes a bound but no order.
//
// https://developer.okta.com/docs/api/openapi/okta-management/management/tag/Device/#tag/Device/operation/listDevices
var Devices = define(Stream{
	Name:      "devices",
	Path:      "/api/v1/devices",
	PageSize:  200,
	Paginator: LinkHeader,
	Key:       []string{"id"},
	Cursor:    &Cursor{Field: "lastUpdated", Operator: "gt"},
	Scope:     "okta.devices.read",
	Bucket:    "/api/v1/devices",
})
