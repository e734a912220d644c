package request_test

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/carrier/request"
	"github.com/countersign/countersign/internal/carrier/setting"
	"github.com/countersign/countersign/internal/message"
)

func TestAWrongConfigurationNamesItsKeyAndWhatIsExpected(t *testing.T) {
	t.Parallel()
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	secret := setting.NewSecret
	set := func(key *string, text string) { *key = text }
	header := func(name, value string) map[string]string { return map[string]string{name: value} }
	receipts := func(c *request.Config) {
		c.ReceiptID, c.ReceiptStatus, c.Delivered = "d", "st", []string{"1"}
		c.Body = `{"to":"{to}","text":"{text}","id":"{id}"}`
	}
	for name, c := range map[string]struct {
		change func(*request.Config)
		key    string // "" if nothing is wrong
		says   string
	}{
		"as it is":              {func(*request.Config) {}, "", ""},
		"no name":               {func(c *request.Config) { c.Name = "" }, "name", "missing"},
		"long name":             {func(c *request.Config) { c.Name = strings.Repeat("x", 65) }, "name", "65"},
		"method":                {func(c *request.Config) { c.Method = "DELETE" }, "method", "POST, PUT, GET"},
		"method in small":       {func(c *request.Config) { c.Method = "post" }, "method", "POST, PUT, GET"},
		"content type":          {func(c *request.Config) { c.ContentType = "xml" }, "content_type", "json, form, text"},
		"answer":                {func(c *request.Config) { c.Answer = "xml" }, "answer", "json, text"},
		"channel":               {func(c *request.Config) { c.Channels = []message.Channel{"FAX"} }, "channels", "FAX"},
		"timeout":               {func(c *request.Config) { c.Timeout = time.Minute }, "timeout", "15s"},
		"sender":                {func(c *request.Config) { c.Sender = "a\nb" }, "sender", "printable"},
		"sender that is unused": {func(c *request.Config) { c.Sender = "Acme" }, "sender", "{sender}"},
		"an encoding":           {func(c *request.Config) { c.Encodings = header("LATIN1", "1") }, "encodings", "GSM7"},
		"encodings unused":      {func(c *request.Config) { c.Encodings = header("GSM7", "1") }, "encodings", "{encoding}"},

		"no url":                 {func(c *request.Config) { c.URL = "" }, "url", "missing"},
		"no URL at all":          {func(c *request.Config) { c.URL = "https://exa mple/" }, "url", "no URL"},
		"other scheme":           {func(c *request.Config) { c.URL = "ftp://example.com" }, "url", "http"},
		"no scheme":              {func(c *request.Config) { c.URL = "{to}" }, "url", "http"},
		"user in url":            {func(c *request.Config) { c.URL = "https://u:p@example.com" }, "url", "username"},
		"fragment":               {func(c *request.Config) { c.URL = "https://example.com/#a" }, "url", "fragment"},
		"host from the message":  {func(c *request.Config) { c.URL = "https://{language}.example.com/" }, "url", "host"},
		"port from the message":  {func(c *request.Config) { c.URL = "https://example.com:{to_digits}/" }, "url", "host"},
		"scheme from a message":  {func(c *request.Config) { c.URL = "{language}://example.com/" }, "url", "scheme"},
		"host behind a \\":       {func(c *request.Config) { c.URL = `https:\\example.com/{to}` }, "url", ""},
		"user from the message":  {func(c *request.Config) { c.URL = "https://{to}@example.com/" }, "url", "host"},
		"escape from a message":  {func(c *request.Config) { c.URL = "https://example.com/?a=%4{to_digits}" }, "url", "no URL"},
		"private":                {func(c *request.Config) { c.URL, c.AllowPrivate = "https://10.0.0.1", false }, "url", "allow_private"},
		"metadata service":       {func(c *request.Config) { c.URL = "http://169.254.169.254" }, "url", "refused"},
		"plain text":             {func(c *request.Config) { c.URL = "http://8.8.8.8" }, "allow_plaintext", "https"},
		"plain text allowed":     {func(c *request.Config) { c.URL, c.AllowPlaintext = "http://8.8.8.8", true }, "", ""},
		"tls keys with http":     {func(c *request.Config) { c.URL, c.CAFile = "http://10.0.0.1", empty }, "url", "tls_"},
		"text in the query":      {func(c *request.Config) { c.URL += "?t={text}" }, "url", "allow_code_in_url"},
		"text in the path":       {func(c *request.Config) { c.URL += "/{text}" }, "url", "allow_code_in_url"},
		"code in the query":      {func(c *request.Config) { c.URL, c.IncludeCode = c.URL+"?c={code}", true }, "url", "allow_code_in_url"},
		"text there, allowed":    {func(c *request.Config) { c.URL, c.CodeInURL = c.URL+"?t={text}", true }, "", ""},
		"code though not at all": {func(c *request.Config) { c.Body = `{"to":"{to}","c":"{code}"}` }, "include_code", "{code}"},
		"code":                   {func(c *request.Config) { c.Body, c.IncludeCode = `{"to":"{to}","c":"{code}"}`, true }, "", ""},
		"long url":               {func(c *request.Config) { c.URL += strings.Repeat("x", 2048) }, "url", "2048"},

		"unknown placeholder":    {func(c *request.Config) { c.Body = `{"to":"{to}","text":"{txt}"}` }, "body", "{txt}, which is no placeholder; expected one of attempt, channel"},
		"another case":           {func(c *request.Config) { c.Body = `{"to":"{To}","text":"{text}"}` }, "body", "{To}"},
		"unknown in the url":     {func(c *request.Config) { c.URL += "?a={b}" }, "url", "{b}"},
		"secret that is none":    {func(c *request.Config) { c.Body = `{"to":"{to}","text":"{text}","k":"{secret.k}"}` }, "body", "{secret.k}, which secrets does not hold"},
		"two braces":             {func(c *request.Config) { c.Body = `{"to":"{{to}}","text":"{text}"}` }, "body", "one brace"},
		"no text":                {func(c *request.Config) { c.Body = `{"to":"{to}"}` }, "body", "neither {text} nor {code}"},
		"no text with GET":       {func(c *request.Config) { c.Method, c.Body, c.URL = "GET", "", c.URL+"?to={to}" }, "url", "neither {text} nor {code}"},
		"no recipient":           {func(c *request.Config) { c.Body = `{"text":"{text}"}` }, "body", "neither {to} nor {to_digits}"},
		"body with GET":          {func(c *request.Config) { c.Method = "GET" }, "body", "GET"},
		"long body":              {func(c *request.Config) { c.Body += strings.Repeat(" ", 32<<10) }, "body", "32768"},
		"no JSON":                {func(c *request.Config) { c.Body = `{"to":"{to}","text":"{text}"` }, "body", "no JSON"},
		"outside a string":       {func(c *request.Config) { c.Body = `{"to":{to},"text":"{text}"}` }, "body", "{to} outside"},
		"text as a key's value":  {func(c *request.Config) { c.Body = `{"to":"{to}","text":{text}}` }, "body", "{text} outside"},
		"half an escape":         {func(c *request.Config) { c.Body = `{"to":"\u00{to_digits}","text":"{text}"}` }, "body", "no JSON"},
		"an escape's rest":       {func(c *request.Config) { c.Body = `{"to":"{to}","text":"\{text}"}` }, "body", "no JSON"},
		"behind a zero":          {func(c *request.Config) { c.Body = `{"to":0{to_digits},"text":"{text}"}` }, "body", "no JSON"},
		"a number":               {func(c *request.Config) { c.Body = `{"to":{to_digits},"text":"{text}","ttl":{ttl_seconds}}` }, "", ""},
		"a number of an address": {func(c *request.Config) { c.Body, c.Channels = `{"to":{to_digits},"text":"{text}"}`, message.Channels() }, "channels", "EMAIL"},
		"form":                   {func(c *request.Config) { c.ContentType, c.Body = "form", "to={to}&text={text}" }, "", ""},
		"form with blanks":       {func(c *request.Config) { c.ContentType, c.Body = "form", "to={to} & text={text}" }, "body", "form"},
		"form on two lines":      {func(c *request.Config) { c.ContentType, c.Body = "form", "to={to}&\ntext={text}" }, "body", "form"},
		"form with half a byte":  {func(c *request.Config) { c.ContentType, c.Body = "form", "to={to}&text=%2{text}" }, "body", "form"},
		"text":                   {func(c *request.Config) { c.ContentType, c.Body = "text", "{to}\n{text}" }, "", ""},

		"header's name":       {func(c *request.Config) { c.Headers = header("a b", "v") }, "headers", "name"},
		"header with a line":  {func(c *request.Config) { c.Headers = header("A", "a\r\nb: c") }, "headers", "printable"},
		"our own header":      {func(c *request.Config) { c.Headers = header("user-agent", "v") }, "headers", "server itself"},
		"host":                {func(c *request.Config) { c.Headers = header("Host", "v") }, "headers", "server itself"},
		"text in a header":    {func(c *request.Config) { c.Headers = header("A", "{text}") }, "headers", "{text}"},
		"unknown in a header": {func(c *request.Config) { c.Headers = header("A", "{b}") }, "headers", "{b}"},
		"secret in a header": {func(c *request.Config) {
			c.Headers, c.Secrets = header("A", "k={secret.k}"), map[string]setting.Secret{"k": secret("a\nhunter2")}
		}, "headers", "{secret.k}"},
		"a secret's place":       {func(c *request.Config) { c.Headers = header("A", "env:KEY") }, "headers", "{secret.NAME}"},
		"authorization in clear": {func(c *request.Config) { c.Headers = header("Authorization", "App hunter2") }, "headers", "{secret.NAME}"},
		"authorization": {func(c *request.Config) {
			c.Headers, c.Secrets = header("Authorization", "App {secret.k}"), map[string]setting.Secret{"k": secret("v")}
		}, "", ""},
		"authorization twice": {func(c *request.Config) {
			c.Headers, c.Secrets, c.Username = header("Authorization", "App {secret.k}"), map[string]setting.Secret{"k": secret("v")}, "u"
		}, "headers", "server itself"},
		"name of a secret":   {func(c *request.Config) { c.Secrets = map[string]setting.Secret{"A b": secret("v")} }, "secrets", "a-z"},
		"bearer and basic":   {func(c *request.Config) { c.Bearer, c.Username = secret("a"), "b" }, "bearer", "both"},
		"bearer with a line": {func(c *request.Config) { c.Bearer = secret("a\r\nb: c") }, "bearer", "printable"},
		"password alone":     {func(c *request.Config) { c.Password = secret("a") }, "username", "missing"},
		"colon in username":  {func(c *request.Config) { c.Username = "a:b" }, "username", "colon"},

		"a redirect is success": {func(c *request.Config) { c.SuccessStatus = []int{302} }, "success_status", "302"},
		"pointer":               {func(c *request.Config) { c.RefPointer = "id" }, "ref_pointer", `such as "/messages/0/id"`},
		"escape in a pointer":   {func(c *request.Config) { c.RefPointer = "/a~2" }, "ref_pointer", "pointer"},
		"success without words": {func(c *request.Config) { c.SuccessPointer = "/ok" }, "success_values", "missing"},
		"success without place": {func(c *request.Config) { c.SuccessValues = []string{"0"} }, "success_pointer", "missing"},
		"errors without place":  {func(c *request.Config) { c.RetryValues = []string{"0"} }, "error_pointer", "retry_values"},
		"a value in two lists": {func(c *request.Config) {
			c.ErrorPointer, c.RetryValues, c.ConfigValues = "/e", []string{"a"}, []string{"A"}
		}, "config_values", `"a"`},
		"success is an error": {func(c *request.Config) {
			c.SuccessPointer, c.SuccessValues, c.PermanentValues = "/e", []string{"0"}, []string{"0"}
		}, "permanent_values", `"0"`},
		"dedupe without id": {func(c *request.Config) { c.Deduplicates = true }, "deduplicates", "{id}"},

		"receipts":                  {receipts, "", ""},
		"receipts without id":       {func(c *request.Config) { receipts(c); c.Body = config("").Body }, "receipt_id", "{id}"},
		"receipts of nothing":       {func(c *request.Config) { receipts(c); c.ReceiptID = "" }, "receipt_id", "receipt_ref"},
		"receipts of two":           {func(c *request.Config) { receipts(c); c.ReceiptRef = "r" }, "receipt_ref", "both"},
		"receipts without ref":      {func(c *request.Config) { receipts(c); c.ReceiptID, c.ReceiptRef = "", "r" }, "receipt_ref", "ref_pointer"},
		"a ref that nobody names":   {func(c *request.Config) { receipts(c); c.RefPointer = "/id" }, "ref_pointer", "no use"},
		"receipts without status":   {func(c *request.Config) { receipts(c); c.ReceiptStatus = "" }, "receipt_status", "missing"},
		"receipts without success":  {func(c *request.Config) { receipts(c); c.Delivered = nil }, "receipt_delivered", "missing"},
		"a status in two lists":     {func(c *request.Config) { receipts(c); c.TimedOut = []string{"1"} }, "receipt_timed_out", `"1"`},
		"an empty status":           {func(c *request.Config) { receipts(c); c.TimedOut = []string{""} }, "receipt_timed_out", "empty"},
		"only a list":               {func(c *request.Config) { c.Undeliverable = []string{"1"} }, "receipt_status", "missing"},
		"a receipt's pointer":       {func(c *request.Config) { receipts(c); c.ReceiptReason = "/a~" }, "receipt_reason", "pointer"},
		"a receipt URL for nothing": {func(c *request.Config) { c.Body = `{"to":"{to}","text":"{text}","u":"{receipt_url}"}` }, "receipt_status", "{receipt_url}"},

		"check elsewhere":      {func(c *request.Config) { c.CheckURL = "https://other.example/" }, "check_url", "host"},
		"check of a message":   {func(c *request.Config) { c.CheckURL = "https://gateway.example/{to}" }, "check_url", "{secret.NAME}"},
		"check that is no URL": {func(c *request.Config) { c.CheckURL = "/balance" }, "check_url", "URL"},
		"check":                {func(c *request.Config) { c.CheckURL = "https://gateway.example/balance" }, "", ""},
		"no such file":         {func(c *request.Config) { set(&c.CAFile, filepath.Join(t.TempDir(), "none.pem")) }, "tls_ca_file", ""},
		"no key":               {func(c *request.Config) { c.CertFile = empty }, "tls_key_file", ""},
	} {
		cfg := config("https://gateway.example/send")
		c.change(&cfg)
		err := cfg.Validate()
		wrong, _ := errors.AsType[*setting.KeyError](err)
		if got := keyOf(wrong); got != c.key || (err == nil) != (c.key == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: Validate = %v; want the key %q and %q", name, err, c.key, c.says)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: Validate = %v; it holds the secret", name, err)
		}
		if _, err := request.New(cfg, request.Deps{Now: time.Now, Log: discard()}); (err == nil) != (c.key == "") {
			t.Errorf("%s: New = %v; want what Validate says", name, err)
		}
	}
}

func keyOf(e *setting.KeyError) string {
	if e == nil {
		return ""
	}
	return e.Key
}

func TestConfigurationsAreEqualOnceDefaultsAreFilledIn(t *testing.T) {
	t.Parallel()
	a, b := config("https://a.example"), config("https://a.example")
	b.Channels, b.Timeout, b.Method, b.ContentType, b.Answer = []message.Channel{message.SMS}, 10*time.Second, http.MethodPost, "json", "json"
	b.SuccessStatus, b.Headers, b.Secrets, b.Delivered = []int{200, 201, 202}, map[string]string{}, map[string]setting.Secret{}, []string{}
	if !a.Equal(b) {
		t.Error("Equal = false; want true")
	}
	for name, change := range map[string]func(*request.Config){
		"body":    func(c *request.Config) { c.Body += " " },
		"secrets": func(c *request.Config) { c.Secrets = map[string]setting.Secret{"a": setting.NewSecret("b")} },
		"status":  func(c *request.Config) { c.SuccessStatus = []int{200} },
	} {
		b := config("https://a.example")
		if change(&b); a.Equal(b) {
			t.Errorf("Equal = true though %s differs", name)
		}
	}
}
