import torch
from torch.testing import assert_close

from equipoise.lab.models.pictures import PictureVector, picture_part


def test_a_vector_is_the_mean_and_the_maximum_over_space_and_a_batch_is_normalised_as_one():
    torch.manual_seed(0)
    vector = PictureVector(channels=1)
    pictures = torch.randint(256, (70, 1, 1, 24, 17), dtype=torch.uint8)
    features = vector.layers(pictures[:, 0] / 127.5 - 1)
    assert features.shape[2:] == (3, 3)  # halved three times, rounded up
    expected = torch.cat([features.flatten(2).mean(dim=2), features.flatten(2).max(dim=2).values], dim=1)
    assert_close(vector(pictures), expected)


def test_once_trained_each_picture_is_read_by_itself_however_many_there_are():
    torch.manual_seed(0)
    part, width = picture_part(columns=2, channels=3)
    pictures = torch.randint(256, (40, 2, 3, 9, 9), dtype=torch.uint8)
    part(pictures)  # moves the running mean
    part.eval()
    together = part(pictures)
    assert together.shape == (40, width)
    alone = torch.cat([part(picture[None, None]) for picture in pictures.flatten(0, 1)])
    assert_close(together, alone.reshape(40, width))
