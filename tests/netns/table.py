"""Tables on standard output."""


def text_of(value):
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.2f}"
    return str(value)


def print_table(columns, rows):
    """Rows are dicts; the first column is text, the others are figures."""
    table = [list(columns)]
    table += [[text_of(row.get(column)) for column in columns]
              for row in rows]
    widths = [max(map(len, column)) for column in zip(*table)]
    for row in table:
        print("  ".join(cell.rjust(width) if number else cell.ljust(width)
                        for number, (cell, width)
                        in enumerate(zip(row, widths))), flush=True)
