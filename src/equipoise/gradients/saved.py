"""What autograd's nodes say of themselves."""


def signed(number: int) -> int:
    """A saved number, of which PyTorch may show -1 as an unsigned one."""
    return number if number < 2**63 else number - 2**64
