package oktasim

import "strings"

type device struct {
	head
	status   string
	created  int64
	revision int
}

type deviceKind struct{ platform, manufacturer, model, os, disk string }

var deviceKinds = [...]deviceKind{
	{"IOS", "APPLE", "iPhone15,4", "18.5.0", ""},
	{"MACOS", "Apple Inc.", "Mac15,6", "14.6.0", "ALL_INTERNAL_VOLUMES"},
	{"WINDOWS", "LENOVO", "21CBCTO1WW", "10.0.22631.3527", "ALL_INTERNAL_VOLUMES"},
	{"ANDROID", "Google", "Pixel 8", "15", "USER"},
}

func (w *world) fillDevice(i int, d *device) {
	at, seq := w.deviceAxis.locate(i)
	h := w.seed.at(saltDevice, i)
	*d = device{
		head: head{n: i, id: w.seed.id(deviceIDs, seq), updated: at}, status: "ACTIVE",
		created: at - int64(h>>8%(300*86_400))*1000,
	}
	switch h % 20 {
	case 0:
		d.status = "DEACTIVATED"
	case 1:
		d.status = "SUSPENDED"
	case 2:
		d.status = "CREATED"
	}
}

func (w *world) appendDeviceSerial(b []byte, d *device) []byte {
	h := w.seed.at(saltDevice, d.n)
	for range 10 {
		b = append(b, "0123456789ABCDEFGHJKLMNPQRSTUVWX"[h%32])
		h /= 32
	}
	return b
}

func (w *world) appendDevice(b []byte, d *device, origin string) []byte {
	h := w.seed.at(saltDevice, d.n)
	k := &deviceKinds[below(h>>40, len(deviceKinds))]
	b = append(append(append(b, `{"id":"`...), d.id[:]...), `","status":"`...)
	b = append(append(b, d.status...), `",`...)
	b = appendTimeMember(b, "created", d.created)
	b = appendTimeMember(b, "lastUpdated", d.updated)
	b = w.appendDeviceSerial(append(b, `"profile":{"displayName":"`...), d)
	b = append(append(append(b, `","platform":"`...), k.platform...), `","manufacturer":"`...)
	b = append(append(append(b, k.manufacturer...), `","model":"`...), k.model...)
	b = append(append(b, `","osVersion":"`...), k.os...)
	for range d.revision {
		b = append(b, ".1"...)
	}
	b = w.appendDeviceSerial(append(b, `","serialNumber":"`...), d)
	b = append(appendHex(append(b, `","udid":"00008120-`...), h, 16), `","registered":true,"secureHardwarePresent":true`...)
	if k.disk == "" {
		b = append(appendHex(append(b, `,"authenticatorAppKey":"`...), mix(h), 12), '"')
	} else {
		b = append(append(append(b, `,"diskEncryptionType":"`...), k.disk...), '"')
	}
	b = w.appendDeviceSerial(append(b, `},"resourceType":"UDDevice","resourceDisplayName":{"value":"`...), d)
	b = append(append(b, `","sensitive":false},"resourceId":"`...), d.id[:]...)
	b = append(b, `","resourceAlternateId":null,"_links":{`...)
	link := func(name, path, methods string) {
		b = append(append(append(append(b, '"'), name...), `":{"href":"`...), origin...)
		b = append(append(append(b, "/api/v1/devices/"...), d.id[:]...), path...)
		b = append(append(append(b, `","hints":{"allow":[`...), methods...), `]}},`...)
	}
	switch d.status {
	case "DEACTIVATED", "CREATED":
		link("activate", "/lifecycle/activate", `"POST"`)
		link("self", "", `"GET","DELETE"`)
	default:
		if d.status == "SUSPENDED" {
			link("unsuspend", "/lifecycle/unsuspend", `"POST"`)
		} else {
			link("suspend", "/lifecycle/suspend", `"POST"`)
		}
		link("self", "", `"GET","PATCH","PUT"`)
		link("users", "/users", `"GET"`)
		link("deactivate", "/lifecycle/deactivate", `"POST"`)
	}
	b[len(b)-1] = '}'
	return append(b, '}')
}

func listDevices(c *call) *apiError {
	l := listing[device, *device]{
		table: c.w.devices.live,
		want:  anything[device](),
		write: func(b []byte, d *device) []byte { return c.w.appendDevice(b, d, c.origin) },
		def:   200, low: 1, high: 200,
	}
	if search := c.query.Get("search"); search != "" {
		var e *apiError
		l.table = c.w.devices.index
		l.sortBy = c.w.deviceWords
		if l.want, e = compile(search, c.w.deviceWords, false); e != nil {
			return e
		}
	}
	e := l.page(c)
	if e != nil && e.code == "E0000029" {
		return badSearch("Invalid cursor.") // this endpoint words it so
	}
	return e
}

func (w *world) deviceWords(name string) (attribute[device], bool) {
	switch name {
	case "id":
		return attribute[device]{text: func(d *device) string { return d.id.String() }, ops: textTests}, true
	case "status":
		return attribute[device]{text: func(d *device) string { return d.status }, ops: textTests}, true
	case "lastUpdated":
		return attribute[device]{at: func(d *device) int64 { return d.updated }, ops: timeSearch}, true
	}
	attr, ok := strings.CutPrefix(name, "profile.")
	if !ok || attr == "" {
		return attribute[device]{}, false
	}
	ops := textTests
	switch attr {
	case "displayName", "serialNumber", "imei", "meid", "udid", "sid":
		ops = nameTests
	}
	return attribute[device]{text: func(d *device) string {
		return memberText(w.appendDevice(nil, d, ""), "profile."+attr)
	}, ops: ops}, true
}
