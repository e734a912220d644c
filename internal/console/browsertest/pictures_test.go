package browsertest_test

import (
	"cmp"
	"image"
	"image/color"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// Where the pictures go, and how much they may weigh together.
const (
	picturesDir   = "../../../docs/images/console"
	picturesBound = 1_500_000
)

// pictures takes the pictures of the documents, if it is told to, and sees that
// they stay light in any case.
func (f *fixture) pictures(t *testing.T) {
	if os.Getenv("UPDATE_SCREENSHOTS") == "1" {
		f.take(t)
	}
	total := int64(0)
	all, err := filepath.Glob(filepath.Join(picturesDir, "*.png"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range all {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		total += info.Size()
	}
	if len(all) == 0 || total > picturesBound {
		t.Errorf("%d pictures of %d octets, want some of at most %d; make screenshots takes them", len(all), total, picturesBound)
	}
}

func (f *fixture) take(t *testing.T) {
	t.Helper()
	s := serve(t, f.binary, "COUNTERSIGN_CALLBACK_ALLOW_PRIVATE=true")
	s.setUp(t)
	s.bury(t, receive(t))
	dir := t.TempDir()
	var taken []string
	f.browser.run(t, "pictures", s.args(t, map[string]any{"dir": dir, "guarded": f.guarded.invite(t, "owner")}), &taken)
	if err := os.MkdirAll(picturesDir, 0o750); err != nil {
		t.Fatal(err)
	}
	for _, name := range taken {
		if err := shrink(filepath.Join(dir, name), filepath.Join(picturesDir, name)); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d pictures", len(taken))
}

// shrink writes a picture with at most 256 colours, those that it has most of.
func shrink(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	whole, err := png.Decode(in)
	if err != nil {
		return err
	}
	small := image.NewPaletted(whole.Bounds(), nil)
	small.Palette, small.Pix = reduce(whole, small.Pix)
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	if err := encoder.Encode(out, small); err != nil {
		_ = out.Close()
		return err
	}
	return out.Close()
}

// shade is colours that look the same: five bits of each part.
type shade uint16

func shadeOf(c color.RGBA) shade {
	return shade(c.R>>3)<<10 | shade(c.G>>3)<<5 | shade(c.B>>3)
}

// reduce picks the commonest shades, each as the colour that it mostly is, and
// fills pix with their numbers.
func reduce(whole image.Image, pix []uint8) (color.Palette, []uint8) {
	counts, colours := map[shade]int{}, map[shade]map[color.RGBA]int{}
	at := func(i int) color.RGBA {
		b := whole.Bounds()
		return color.RGBAModel.Convert(whole.At(b.Min.X+i%b.Dx(), b.Min.Y+i/b.Dx())).(color.RGBA)
	}
	for i := range pix {
		c := at(i)
		s := shadeOf(c)
		counts[s]++
		if colours[s] == nil {
			colours[s] = map[color.RGBA]int{}
		}
		colours[s][c]++
	}
	byCount := slices.SortedFunc(maps.Keys(counts), func(a, b shade) int {
		return cmp.Or(counts[b]-counts[a], int(a)-int(b))
	})
	var palette color.Palette
	number := map[shade]uint8{}
	for i, s := range byCount {
		c := slices.MaxFunc(slices.Collect(maps.Keys(colours[s])), func(a, b color.RGBA) int {
			return cmp.Or(colours[s][a]-colours[s][b], int(a.R)-int(b.R), int(a.G)-int(b.G), int(a.B)-int(b.B))
		})
		if i < 256 {
			number[s] = uint8(i)
			palette = append(palette, c)
		} else {
			number[s] = uint8(palette.Index(c))
		}
	}
	for i := range pix {
		pix[i] = number[shadeOf(at(i))]
	}
	return palette, pix
}
