package oktasim

import (
	"strconv"

	"github.com/tidwall/gjson"
)

type userType struct {
	id, schema  ident
	name, label string
	at          int64
}

func (w *world) buildTypes() {
	n := max(1, w.config.UserTypes)
	start := w.config.Born.Add(-800 * day).UnixMilli()
	for i := range n {
		t := userType{
			id: w.seed.id(userTypeIDs, i), schema: w.seed.id(schemaIDs, i), name: "user", label: "User",
			at: start + int64(i)*86_400_000,
		}
		if i > 0 {
			t.name, t.label = "contractor"+strconv.Itoa(i), "Contractor "+strconv.Itoa(i)
		}
		w.userTypes = append(w.userTypes, t)
	}
}

// userType is the type of user n: mostly the default one.
func (w *world) userType(n int) int {
	if h := w.seed.at(saltTypeID, n); len(w.userTypes) > 1 && h%8 == 0 {
		return 1 + below(h>>8, len(w.userTypes)-1)
	}
	return 0
}

func (w *world) appendUserType(b []byte, i int, origin string) []byte {
	t := &w.userTypes[i]
	by := w.orgAdmin()
	b = append(append(append(b, `{"id":"`...), t.id[:]...), `","displayName":"`...)
	b = append(append(append(append(b, t.label...), `","name":"`...), t.name...), `","description":"Okta user profile template with default permission settings","createdBy":"`...)
	b = append(append(append(append(b, by...), `","lastUpdatedBy":"`...), by...), `",`...)
	b = appendTimeMember(b, "created", t.at)
	b = appendTimeMember(b, "lastUpdated", t.at)
	b = appendBool(append(b, `"default":`...), i == 0)
	b = append(append(append(b, `,"_links":{"schema":{"rel":"schema","href":"`...), origin...), "/api/v1/meta/schemas/user/"...)
	b = append(append(append(b, t.schema[:]...), `","method":"GET"},"self":{"rel":"self","href":"`...), origin...)
	return append(append(append(b, "/api/v1/meta/types/user/"...), t.id[:]...), `","method":"GET"}}}`...)
}

// orgAdmin is the system principal that made what was there from the start.
func (w *world) orgAdmin() string { return "spr" + w.orgID.String()[3:] }

func listUserTypes(c *call) *apiError {
	c.b = append(c.b, '[')
	for i := range c.w.userTypes {
		if i > 0 {
			c.b = append(c.b, ',')
		}
		c.b = c.w.appendUserType(c.b, i, c.origin)
	}
	c.b = append(c.b, ']')
	return nil
}

// attributeKind is a kind of custom profile attribute: what the schema says of it and what users have.
type attributeKind struct {
	name, title, schema string
	value               func(b []byte, h uint64) []byte
}

var customAttributes = [...]attributeKind{
	{"badge_number", "Badge number", `"type":"integer"`, func(b []byte, h uint64) []byte {
		return strconv.AppendUint(b, 10_000+h%90_000, 10)
	}},
	{"remote", "Works remotely", `"type":"boolean"`, func(b []byte, h uint64) []byte { return appendBool(b, h%2 == 0) }},
	{"skills", "Skills", `"type":"array","items":{"type":"string"}`, func(b []byte, h uint64) []byte {
		b = append(b, '[')
		for i := range h % 4 {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(append(append(b, '"'), skills[h>>(8+4*i)%uint64(len(skills))]...), '"')
		}
		return append(b, ']')
	}},
	{"hired_on", "Hired on", `"type":"string","format":"date-time"`, func(b []byte, h uint64) []byte {
		return append(appendTime(append(b, '"'), 1_500_000_000_000+int64(h%200_000_000)*1000), '"')
	}},
	{"fte", "Full-time equivalent", `"type":"number"`, func(b []byte, h uint64) []byte {
		return strconv.AppendFloat(b, float64(h%4+1)/4, 'f', -1, 64)
	}},
	{"employee_grade", "Grade", `"type":"string","maxLength":4`, func(b []byte, h uint64) []byte {
		return append(strconv.AppendUint(append(b, `"L`...), h%9+1, 10), '"')
	}},
}

var skills = [...]string{"go", "sql", "first aid", "negotiation", "welding", "português", "forklift", "kubernetes"}

// appendAttributeName names custom attribute i; beyond the kinds there are, names get a number.
func appendAttributeName(b []byte, i int) []byte {
	b = append(b, customAttributes[i%len(customAttributes)].name...)
	if i >= len(customAttributes) {
		b = strconv.AppendInt(append(b, '_'), int64(i/len(customAttributes)), 10)
	}
	return b
}

const baseAttributes = `"login":{"title":"Username","type":"string","required":true,"mutability":"READ_WRITE","scope":"NONE","minLength":5,"maxLength":100,"permissions":[{"principal":"SELF","action":"READ_ONLY"}],"master":{"type":"PROFILE_MASTER"}},` +
	`"firstName":{"title":"First name","type":"string","required":true,"mutability":"READ_WRITE","scope":"NONE","minLength":1,"maxLength":50,"permissions":[{"principal":"SELF","action":"READ_WRITE"}],"master":{"type":"PROFILE_MASTER"}},` +
	`"lastName":{"title":"Last name","type":"string","required":true,"mutability":"READ_WRITE","scope":"NONE","minLength":1,"maxLength":50,"permissions":[{"principal":"SELF","action":"READ_WRITE"}],"master":{"type":"PROFILE_MASTER"}},` +
	`"email":{"title":"Primary email","type":"string","required":true,"format":"email","mutability":"READ_WRITE","scope":"NONE","permissions":[{"principal":"SELF","action":"READ_ONLY"}],"master":{"type":"PROFILE_MASTER"}},` +
	`"secondEmail":{"title":"Secondary email","type":"string","format":"email","mutability":"READ_WRITE","scope":"NONE","permissions":[{"principal":"SELF","action":"READ_WRITE"}],"master":{"type":"PROFILE_MASTER"}},` +
	`"mobilePhone":{"title":"Mobile phone","type":"string","mutability":"READ_WRITE","scope":"NONE","maxLength":100,"permissions":[{"principal":"SELF","action":"READ_WRITE"}],"master":{"type":"PROFILE_MASTER"}}`

var plainAttributes = [...]struct{ name, title string }{
	{"title", "Title"},
	{"department", "Department"},
	{"organization", "Organization"},
	{"costCenter", "Cost center"},
	{"city", "City"},
	{"state", "State"},
	{"countryCode", "Country code"},
	{"zipCode", "Zip code"},
}

func (w *world) appendUserSchema(b []byte, i int, origin string) []byte {
	t := &w.userTypes[i]
	b = append(append(append(b, `{"id":"`...), origin...), "/meta/schemas/user/"...)
	b = append(append(append(b, t.schema[:]...), `","$schema":"http://json-schema.org/draft-04/schema#","name":"`...), t.name...)
	b = append(append(append(b, `","title":"`...), t.label...), `","lastUpdated":"`...)
	b = append(appendTime(b, t.at), `","created":"`...)
	b = append(appendTime(b, t.at), `","definitions":{"custom":{"id":"#custom","type":"object","properties":{`...)
	for k := range w.config.CustomAttributes {
		a := &customAttributes[k%len(customAttributes)]
		if k > 0 {
			b = append(b, ',')
		}
		b = append(appendAttributeName(append(b, '"'), k), `":{"title":"`...)
		b = append(append(append(append(append(b, a.title...), `","externalName":"`...), a.name...), `",`...), a.schema...)
		b = append(b, `,"mutability":"READ_WRITE","scope":"NONE","permissions":[{"principal":"SELF","action":"READ_ONLY"}],"master":{"type":"PROFILE_MASTER"}}`...)
	}
	b = append(b, `},"required":[]},"base":{"id":"#base","type":"object","properties":{`...)
	b = append(b, baseAttributes...)
	for _, a := range plainAttributes {
		b = append(append(append(append(b, `,"`...), a.name...), `":{"title":"`...), a.title...)
		b = append(b, `","type":"string","mutability":"READ_WRITE","scope":"NONE","permissions":[{"principal":"SELF","action":"READ_ONLY"}],"master":{"type":"PROFILE_MASTER"}}`...)
	}
	b = append(b, `},"required":["login","firstName","lastName","email"]}},"type":"object","properties":{"profile":{"allOf":[{"$ref":"#/definitions/custom"},{"$ref":"#/definitions/base"}]}},"_links":{"self":{"rel":"self","href":"`...)
	b = append(append(append(b, origin...), "/api/v1/meta/schemas/user/"...), t.schema[:]...)
	return append(b, `","method":"GET"}}}`...)
}

func getUserSchema(c *call) *apiError {
	for i := range c.w.userTypes {
		if c.vars[0] == c.w.userTypes[i].schema.String() || (i == 0 && c.vars[0] == "default") {
			c.b = c.w.appendUserSchema(c.b, i, c.origin)
			return nil
		}
	}
	return notFound(c.vars[0], "UserSchema")
}

// wellKnownOrganization tells what an org is without credentials.
func wellKnownOrganization(c *call) *apiError {
	pipeline := "idx"
	if c.o.config.Classic {
		pipeline = "v1"
	}
	c.b = append(append(append(c.b, `{"id":"`...), c.w.orgID[:]...), `","_links":{"organization":{"href":"`...)
	c.b = append(append(append(append(c.b, c.origin...), `"}},"pipeline":"`...), pipeline...), `"}`...)
	return nil
}

// memberText is a member of a JSON object as text; "" if it isn't there.
func memberText(object []byte, path string) string { return gjson.GetBytes(object, path).String() }
