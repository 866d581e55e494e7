"""Files that appear whole: the blob cache, directory trees and archives, tar in both directions."""
