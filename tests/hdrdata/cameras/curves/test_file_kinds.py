import pytest

from hdrdata.cameras.curves.file_kinds import UNKNOWN_DEVICE, Device, device_of


@pytest.mark.parametrize("exif, device", [
    (("", "", ""), UNKNOWN_DEVICE),
    (("Canon", "Canon EOS 550D", ""), Device("camera", "Canon EOS 550D")),
    (("NIKON CORPORATION", "NIKON D90", "Ver.1.00"), Device("camera", "NIKON D90")),
    (("SONY", "ILCE-6000", "ILCE-6000 v3.10"), Device("camera", "Sony ILCE-6000")),
    (("OLYMPUS IMAGING CORP.", "XZ-1", ""), Device("camera", "Olympus XZ-1")),
    (("Sony", "D6503", "23.4.A.1.264"), Device("phone", "Sony D6503")),
    (("Xiaomi", "M2007J17C", ""), Device("phone", "Xiaomi M2007J17C")),
    (("samsung", "SM-G991B", ""), Device("phone")),
    (("SAMSUNG", "EX2F", ""), Device("camera", "Samsung EX2F")),
    (("Apple", "iPhone 14 Pro", "17.1"), Device("phone")),
    (("Canon", "Canon EOS 550D", "Adobe Photoshop Lightroom 6.0"), Device("other")),
    (("", "", "Blender 4.1"), Device("rendering")),
    (("", "", "Screenshot"), Device("rendering")),
    (("", "", "GIMP 2.10.36"), UNKNOWN_DEVICE),
    (("", "", "Windows Photo Editor 10"), UNKNOWN_DEVICE),
    (("Nobody", "X", ""), Device("other")),
])  # fmt: skip
def test_the_kind_of_device_that_made_a_file(exif, device):
    assert device_of(*exif) == device
