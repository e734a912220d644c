package connector

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
)

// iconSize is the platform's: square, from 100 to 230 pixels.
const iconSize = 160

// Colours of the icon; brand is iconBrandColor in apiProperties.json.
var (
	brand = color.NRGBA{R: 0x1f, G: 0x4e, B: 0x5f, A: 0xff}
	ink   = color.NRGBA{R: 0xff, G: 0xff, B: 0xff, A: 0xff}
)

// drawIcon draws a shield with a tick, which stands for a countersign that was
// right, as PNG.
func drawIcon() ([]byte, error) {
	img := image.NewNRGBA(image.Rect(0, 0, iconSize, iconSize))
	for y := range iconSize {
		for x := range iconSize {
			img.SetNRGBA(x, y, mix(coverage(x, y)))
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		return nil, fmt.Errorf("draw icon: %w", err)
	}
	return b.Bytes(), nil
}

// coverage returns how much of a pixel is inked, 0 to 1: sixteen samples.
func coverage(x, y int) float64 {
	const side = 4
	hits := 0
	for i := range side * side {
		px := (float64(x) + (float64(i%side)+0.5)/side) / iconSize
		py := (float64(y) + (float64(i/side)+0.5)/side) / iconSize
		if inShield(px, py) && !onTick(px, py) {
			hits++
		}
	}
	return float64(hits) / (side * side)
}

// inShield tells the shield in the unit square: straight above, round below.
func inShield(x, y float64) bool {
	const top, shoulder, tip, half = 0.18, 0.46, 0.84, 0.28
	switch dx := math.Abs(x - 0.5); {
	case y < top || y > tip || dx > half:
		return false
	case y <= shoulder:
		return true
	default:
		t := (y - shoulder) / (tip - shoulder)
		return dx <= half*math.Sqrt(1-t*t)
	}
}

// onTick tells the two strokes of the tick.
func onTick(x, y float64) bool {
	const thick = 0.038
	return distance(x, y, 0.38, 0.48, 0.47, 0.58) < thick || distance(x, y, 0.47, 0.58, 0.63, 0.37) < thick
}

// distance is that of a point from a line between two others.
func distance(x, y, x0, y0, x1, y1 float64) float64 {
	dx, dy := x1-x0, y1-y0
	t := ((x-x0)*dx + (y-y0)*dy) / (dx*dx + dy*dy)
	t = min(max(t, 0), 1)
	return math.Hypot(x-x0-t*dx, y-y0-t*dy)
}

func mix(inked float64) color.NRGBA {
	part := func(from, to uint8) uint8 { return uint8(math.Round(float64(from)*(1-inked) + float64(to)*inked)) }
	return color.NRGBA{R: part(brand.R, ink.R), G: part(brand.G, ink.G), B: part(brand.B, ink.B), A: 0xff}
}
