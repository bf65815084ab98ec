import sys

import numpy as np
import pytest

from equipoise.lab.data.pictures import read_picture


class TestFiles:
    @pytest.fixture(autouse=True)
    def _pillow(self):
        self.image = pytest.importorskip("PIL.Image", reason="needs Pillow, of the extra pictures")

    def test_pixels_are_means_over_areas_and_a_draft_is_nearly_the_same(self, tmp_path):
        ramp = np.repeat(np.arange(0, 256, 2, dtype=np.uint8)[None, :, None], 128, 0).repeat(3, 2)
        self.image.fromarray(ramp).save(tmp_path / "a.png")
        self.image.fromarray(ramp).save(tmp_path / "a.jpg", quality=95)
        small = read_picture(tmp_path / "a.png", 8, 8)
        assert np.abs(small - ramp.reshape(8, 16, 8, 16, 3).mean((1, 3))).max() <= 0.5
        assert np.abs(read_picture(tmp_path / "a.jpg", 8, 8, draft=True) - small.astype(int)).max() <= 4

    def test_a_picture_is_turned_as_its_camera_says(self, tmp_path):
        pixels = np.zeros((8, 8, 3), dtype=np.uint8)
        pixels[0] = 255
        exif = self.image.Exif()
        exif[274] = 6  # the top is at the right
        self.image.fromarray(pixels).save(tmp_path / "a.png", exif=exif)
        assert (read_picture(tmp_path / "a.png", 8, 8)[:, -1] == 255).all()

    def test_more_than_8_bits_are_refused(self, tmp_path):
        self.image.fromarray(np.full((8, 8), 3000, dtype=np.uint16)).save(tmp_path / "a.png")
        with pytest.raises(ValueError, match=r"a\.png has more than 8 bits"):
            read_picture(tmp_path / "a.png", 8, 8)

    def test_what_is_no_picture_is_named(self, tmp_path, monkeypatch):
        (tmp_path / "a.png").write_text("hello")
        with pytest.raises(ValueError, match=r"a\.png is no picture: "):
            read_picture(tmp_path / "a.png", 8, 8)
        self.image.new("L", (100, 100)).save(tmp_path / "a.png")
        monkeypatch.setattr(self.image, "MAX_IMAGE_PIXELS", 10)
        with pytest.raises(ValueError, match=r"a\.png is no picture: .*decompression bomb"):
            read_picture(tmp_path / "a.png", 8, 8)


def test_without_pillow_the_error_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ValueError, match=r'PIL is missing: pip install "equipoise\[pictures\]"'):
        read_picture(tmp_path / "a.png", 8, 8)
