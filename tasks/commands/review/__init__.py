"""What the approver of a bundle does: read its report, and sign it."""
