package okta

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"

	"github.com/tidwall/gjson"
)

// OrgInfo is what an org says of itself to everybody.
type OrgInfo struct {
	ID       string   // 00o…
	Pipeline string   // idx: Identity Engine; v1: Classic Engine
	Links    []string // where it says it can be reached; for the log, never followed
}

// Organization asks whether an Okta org answers at the origin, without credentials:
// https://developer.okta.com/docs/api/openapi/okta-management/management/tag/OrgSettingMetadata/
// An answer that no org gives is a *DomainError; failures of the network and of Okta stay *Error.
func (c *Client) Organization(ctx context.Context) (OrgInfo, error) {
	page, err := c.Get(ctx, Request{Bucket: "/", Path: "/.well-known/okta-organization", Single: true, Public: true})
	if err != nil {
		return OrgInfo{}, c.notAnOrg(err)
	}
	doc := gjson.Parse(page.Items[0])
	info := OrgInfo{ID: doc.Get("id").String(), Pipeline: doc.Get("pipeline").String()}
	if info.ID == "" || info.Pipeline != "idx" && info.Pipeline != "v1" {
		return OrgInfo{}, c.notAnOrg(nil)
	}
	doc.Get("_links").ForEach(func(_, link gjson.Result) bool {
		if href := link.Get("href"); href.Type == gjson.String {
			info.Links = append(info.Links, href.Str)
		}
		return true
	})
	return info, nil
}

// notAnOrg turns an answer that no org gives, and a host that nobody has, into a sentence about the domain. Failures
// that pass stay what they are.
func (c *Client) notAnOrg(err error) error {
	var (
		failed  *Error
		inside  *DomainError
		lookup  *net.DNSError
		foreign x509.HostnameError
		strange *tls.CertificateVerificationError
	)
	switch {
	case err == nil:
	case errors.As(err, &inside): // from GuardDialer
		return inside
	case errors.As(err, &lookup) && lookup.IsNotFound, errors.As(err, &foreign):
	case !errors.As(err, &failed), errors.As(err, &strange):
		return err
	case failed.Status == http.StatusOK: // a page of somebody's
	case failed.Class == Transient || failed.Class == RateLimited:
		return err
	}
	return &DomainError{
		Reason: fmt.Sprintf("no Okta org answers at %s, so no credentials were sent there: %s", c.opts.Origin.Host, domainExample),
		Err:    err,
	}
}
