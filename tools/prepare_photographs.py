"""Cut the six photographs of the book out of scikit-image and scikit-learn (both needed, once).

The short side becomes 256 pixels (bicubic), then the centre 224 × 224 is kept: EfficientNet-Lite0's
own preprocessing, so that the stored pixels are what the network was made for.
"""
from pathlib import Path

from PIL import Image
from skimage import data
from sklearn.datasets import load_sample_image

FOLDER = Path(__file__).parents[1] / "data" / "photographs"


def crop(image: Image.Image) -> Image.Image:
    """Short side to 256 pixels, centre 224 × 224."""
    scale = 256 / min(image.size)
    image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BICUBIC)
    left, top = (image.width - 224) // 2, (image.height - 224) // 2
    return image.crop((left, top, left + 224, top + 224))


if __name__ == "__main__":
    sources = {
        "coffee": data.coffee(), "chelsea": data.chelsea(), "camera": data.camera(), "rocket": data.rocket(),
        "flower": load_sample_image("flower.jpg"), "china": load_sample_image("china.jpg"),
    }
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, pixels in sources.items():
        crop(Image.fromarray(pixels).convert("RGB")).save(FOLDER / f"{name}.png", optimize=True)
