package okta

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// tokenFile keeps the newest refresh token where nobody hears CONTROL messages.
//
// The file also holds hashes of the tokens that its token replaced. A configured token that is among them is older
// than the file's; any other one comes from a new sign-in, and the file is out of date.
type tokenFile struct {
	path       string
	configured string   // hash
	replaced   []string // hashes, oldest first
}

type tokenFileContent struct {
	RefreshToken string   `json:"refresh_token"`
	Replaced     []string `json:"replaced_sha256"`
}

const (
	maxTokenFile = 64 << 10
	maxReplaced  = 100
)

// openTokenFile returns the file and the newest of the configured and the kept token, which it has written.
func openTokenFile(path, configured string) (*tokenFile, string, error) {
	f := &tokenFile{path: filepath.Clean(path), configured: hashOf(configured)}
	kept, err := f.read()
	if err != nil {
		return nil, "", err
	}
	newest := configured
	if kept != nil && (kept.RefreshToken == configured || slices.Contains(kept.Replaced, hashOf(configured))) {
		newest, f.replaced = kept.RefreshToken, kept.Replaced
	}
	if err := f.write(newest); err != nil {
		return nil, "", fmt.Errorf("token_file cannot be written: %w", err)
	}
	return f, newest, nil
}

func hashOf(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

func (f *tokenFile) read() (*tokenFileContent, error) {
	info, err := os.Lstat(f.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("token_file cannot be read: %w", err)
	case info.IsDir():
		return nil, errors.New("token_file is a directory")
	case !info.Mode().IsRegular():
		// Writing replaces the file, so what a link points to would not be kept up to date, and could be another's.
		return nil, errors.New("token_file is a symbolic link or a device, not a file")
	case info.Size() == 0:
		return nil, nil
	case info.Size() > maxTokenFile:
		return nil, errors.New("token_file holds something else than a refresh token; it is not touched")
	}
	file, err := os.Open(f.path)
	if err != nil {
		return nil, fmt.Errorf("token_file cannot be read: %w", err)
	}
	defer file.Close()
	if opened, err := file.Stat(); err != nil || !os.SameFile(info, opened) {
		return nil, errors.New("token_file was replaced while it was read")
	}
	b, err := io.ReadAll(io.LimitReader(file, maxTokenFile))
	if err != nil {
		return nil, fmt.Errorf("token_file cannot be read: %w", err)
	}
	var c tokenFileContent
	if json.Unmarshal(b, &c) != nil || strings.TrimSpace(c.RefreshToken) == "" {
		return nil, errors.New("token_file holds something else than a refresh token; it is not touched")
	}
	return &c, nil
}

// supersede notes that the file's token is newer than token.
func (f *tokenFile) supersede(token string) {
	h := hashOf(token)
	f.replaced = append(slices.DeleteFunc(f.replaced, func(r string) bool { return r == h }), h)
	f.replaced = f.replaced[max(0, len(f.replaced)-maxReplaced):]
}

// write replaces the file as a whole, so that a crash leaves the old content or the new.
func (f *tokenFile) write(token string) (err error) {
	replaced := f.replaced
	if !slices.Contains(replaced, f.configured) {
		replaced = slices.Concat(replaced, []string{f.configured})
	}
	b, err := json.Marshal(tokenFileContent{RefreshToken: token, Replaced: replaced})
	if err != nil {
		return err
	}
	dir := filepath.Dir(f.path)
	tmp, err := os.CreateTemp(dir, ".token-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(tmp.Name())
		}
	}()
	_, err = tmp.Write(append(b, '\n'))
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err != nil {
		return err
	}
	if err = os.Rename(tmp.Name(), f.path); err != nil {
		return err
	}
	f.supersede(token)
	// The rename is durable once the directory is; not every file system can sync one.
	if d, openErr := os.Open(dir); openErr == nil {
		_ = d.Sync()
		_ = d.Close()
	}
	return nil
}
