package audit

import (
	"bytes"
	"context"
	"crypto/hmac"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/countersign/countersign/internal/otp"
)

// Checkpoint says how long the list was and how it ended, signed. Kept outside
// the database it tells later whether entries were removed from the end (P-07).
type Checkpoint struct {
	Entries int64
	Head    []byte // the link of the last entry, nil of an empty list
	Key     otp.KeyID
	Sum     [32]byte
}

// checkpointForm begins the text of a checkpoint.
const checkpointForm = "c1"

// String returns the checkpoint as it is logged: c1.ENTRIES.HEAD.KEY.SUM, in
// letters, digits and points.
func (c Checkpoint) String() string {
	return strings.Join([]string{
		checkpointForm, strconv.FormatInt(c.Entries, 10), hex.EncodeToString(c.Head),
		strconv.FormatUint(uint64(c.Key), 10), hex.EncodeToString(c.Sum[:]),
	}, ".")
}

// Errors of checkpoints.
var (
	// ErrCheckpoint: the text is no checkpoint, or not what the key that it names
	// signed.
	ErrCheckpoint = errors.New("not a checkpoint of this deployment")
	// ErrShortened: entries that the checkpoint tells of are gone.
	ErrShortened = errors.New("entries were removed from the audit list")
)

// ParseCheckpoint reads what String wrote; ErrCheckpoint for anything else.
func ParseCheckpoint(text string) (Checkpoint, error) {
	var c Checkpoint
	parts := strings.Split(strings.TrimSpace(text), ".")
	if len(parts) != 5 || parts[0] != checkpointForm {
		return c, ErrCheckpoint
	}
	entries, errEntries := strconv.ParseInt(parts[1], 10, 64)
	head, errHead := hex.DecodeString(parts[2])
	key, errKey := strconv.ParseUint(parts[3], 10, 32)
	sum, errSum := hex.DecodeString(parts[4])
	if errors.Join(errEntries, errHead, errKey, errSum) != nil || entries < 0 || len(sum) != len(c.Sum) {
		return c, ErrCheckpoint
	}
	c.Entries, c.Head, c.Key = entries, head, otp.KeyID(key)
	copy(c.Sum[:], sum)
	return c, nil
}

// sum signs a checkpoint. The first part sets it apart from links.
func (l *Log) sum(c Checkpoint) ([32]byte, bool) {
	return l.keys.Audit(c.Key, "checkpoint", strconv.FormatInt(c.Entries, 10), string(c.Head))
}

// Sign makes a checkpoint of what a proof found.
func (l *Log) Sign(p Proof) (Checkpoint, error) {
	c := Checkpoint{Entries: p.Entries, Head: p.Head, Key: l.keys.Current()}
	var ok bool
	if c.Sum, ok = l.sum(c); !ok {
		return c, fmt.Errorf("sign a checkpoint: %w", ErrKeyUnknown)
	}
	return c, nil
}

// Since reports whether the list still has all that c tells of: ErrKeyUnknown if
// c was signed with a key that is not listed, ErrCheckpoint if it is not of this
// deployment, ErrShortened if entries are missing or others stand in their place.
func (l *Log) Since(ctx context.Context, c Checkpoint) error {
	sum, ok := l.sum(c)
	switch {
	case !ok:
		return fmt.Errorf("the checkpoint: %w", ErrKeyUnknown)
	case !hmac.Equal(sum[:], c.Sum[:]):
		return ErrCheckpoint
	}
	if c.Entries == 0 {
		return nil
	}
	last, err := l.store.AuditEntries(ctx, c.Entries, 1)
	if err != nil {
		return fmt.Errorf("read audit list: %w", err)
	}
	if len(last) == 0 || last[0].Seq != c.Entries || !bytes.Equal(last[0].Link, c.Head) {
		return fmt.Errorf("entry %d: %w", c.Entries, ErrShortened)
	}
	return nil
}

// CheckpointEvery is how often a node writes a checkpoint into its log.
const CheckpointEvery = time.Hour

// Checkpoints proves the list now and every hour until ctx ends, each time what
// is new, and logs a signed checkpoint, whatever is the least level of log:
// whoever keeps the log elsewhere can tell later whether the list was shortened.
// A list that does not hold together is an error in the log.
func (l *Log) Checkpoints(ctx context.Context, log *slog.Logger) {
	ticker := time.NewTicker(CheckpointEvery)
	defer ticker.Stop()
	var proven Proof
	var last Checkpoint
	for {
		c, p, err := l.checkpoint(ctx, proven, last)
		switch {
		case err == nil:
			proven, last = p, c
			tell(ctx, log, c)
		case errors.Is(err, ErrChain), errors.Is(err, ErrShortened):
			log.ErrorContext(ctx, "the audit list was tampered with", slog.Any("err", err))
		case errors.Is(err, ErrKeyUnknown): // as urgent: who tampers may write any key's id
			log.ErrorContext(ctx, "the audit list cannot be proven; list every root key in secret_key_previous", slog.Any("err", err))
		case ctx.Err() == nil:
			log.WarnContext(ctx, "cannot prove the audit list", slog.Any("err", err))
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// tell logs c past the least level, which the handler itself does not ask for.
func tell(ctx context.Context, log *slog.Logger, c Checkpoint) {
	line := slog.NewRecord(time.Now(), slog.LevelInfo, "audit checkpoint", 0) //nolint:forbidigo // when it is logged
	line.AddAttrs(slog.Int64("entries", c.Entries), slog.String("checkpoint", c.String()))
	_ = log.Handler().Handle(ctx, line) // as a logger does
}

// checkpoint proves what came after proven, whose checkpoint is last.
func (l *Log) checkpoint(ctx context.Context, proven Proof, last Checkpoint) (Checkpoint, Proof, error) {
	if proven.Entries > 0 {
		if err := l.Since(ctx, last); err != nil {
			return Checkpoint{}, proven, err
		}
	}
	p, err := l.prove(ctx, proven)
	if err != nil {
		return Checkpoint{}, proven, err
	}
	if err := p.Err(); err != nil {
		return Checkpoint{}, proven, err
	}
	c, err := l.Sign(p)
	return c, p, err
}
